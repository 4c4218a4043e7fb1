"""Sources: every kind that opens, and one clear line for every kind that does not."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sql_rl.errors import UsageError
from sql_rl.sources import open_source

ROWS = [
    {"id": i, "sql_prompt": f"How many, {i}?", "sql_context": "CREATE TABLE t (a INT)", "sql": f"SELECT {i}"}
    for i in range(3)
]


def jsonl(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def written(kind: str, folder: Path) -> Path:
    """ROWS as a file or folder of that kind."""
    path = folder / f"rows.{kind}"
    match kind:
        case "jsonl":
            jsonl(path, ROWS)
        case "json":
            path.write_text(json.dumps(ROWS))
        case "csv":
            lines = ["id,sql_prompt,sql_context,sql"]
            lines += [f'{r["id"]},"{r["sql_prompt"]}",{r["sql_context"]},{r["sql"]}' for r in ROWS]
            path.write_text("\n".join(lines) + "\n")
        case "parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), path)
        case "saved":
            datasets.Dataset.from_list(ROWS).save_to_disk(str(path))
        case "saved-splits":
            datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}).save_to_disk(str(path))
        case "folder":
            path.mkdir()
            pq.write_table(pa.Table.from_pylist(ROWS), path / "train-0.parquet")
        case "shards":
            (path / "data").mkdir(parents=True)
            for number, rows in enumerate((ROWS[:1], ROWS[1:])):
                pq.write_table(pa.Table.from_pylist(rows), path / "data" / f"train-{number:05d}.parquet")
    return path


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet", "saved", "saved-splits", "folder", "shards"])
def test_every_kind_gives_the_same_examples(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    source = open_source(str(written(kind, tmp_path)), "train", 2)
    assert source.count == 2
    assert [(e.row, e.id, e.question, e.gold) for e in source.examples()] == [
        (0, "0", "How many, 0?", "SELECT 0"),
        (1, "1", "How many, 1?", "SELECT 1"),
    ]
    assert [e.id for e in source.examples()] == ["0", "1"], "a source can be read again"


def test_columns_are_mapped_by_name_and_by_hand(tmp_path: Path):
    spider = jsonl(tmp_path / "a.jsonl", [{"question": "q", "query": "SELECT 1", "schema": "CREATE TABLE t (a)"}])
    example = next(open_source(str(spider), "train", 1).examples())
    assert (example.question, example.gold, example.context, example.id) == ("q", "SELECT 1", "CREATE TABLE t (a)", "0")
    other = jsonl(tmp_path / "b.jsonl", [{"ask": "q", "answer": "SELECT 1", "ddl": "CREATE TABLE t (a)"}])
    mapping = {"question": "ask", "gold": "answer", "context": "ddl"}
    example = next(open_source(str(other), "train", 1, mapping).examples())
    assert (example.question, example.gold) == ("q", "SELECT 1")


def test_rows_of_unequal_shape_get_one_schema(tmp_path: Path):
    rows = [ROWS[0], ROWS[1] | {"note": None, "score": 1}, ROWS[2] | {"score": 0.5}]
    source = open_source(str(jsonl(tmp_path / "rows.jsonl", rows)), "train", 9)
    assert source.schema.field("score").type == pa.float64()
    assert source.schema.field("note").type == pa.string()
    assert [r["score"] for r in source.rows()] == [None, 1, 0.5]


def test_identity_follows_the_content(tmp_path: Path):
    first = open_source(str(jsonl(tmp_path / "a.jsonl", ROWS)), "train", 9).identity
    assert open_source(str(jsonl(tmp_path / "b.jsonl", ROWS)), "train", 9).identity == first
    assert open_source(str(jsonl(tmp_path / "a.jsonl", ROWS[:2])), "train", 9).identity != first


@pytest.mark.parametrize("place", ["data", "rows"])
def test_folders_of_one_name_are_not_taken_for_one_another(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch):
    """A run that was made again in its folder has the same name and the same card, and other rows."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    card = f"---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files: {place}/*.parquet\n---\n"
    found = []
    for folder, rows in ((tmp_path / "a" / "run", ROWS), (tmp_path / "b" / "run", ROWS[:1])):
        (folder / place).mkdir(parents=True)
        (folder / "README.md").write_text(card)
        pq.write_table(pa.Table.from_pylist(rows), folder / place / "train-00000.parquet")
        found.append(open_source(str(folder), "train", None))
    assert [(s.count, len(list(s.rows())), s.license) for s in found] == [(3, 3, "mit"), (1, 1, "mit")]
    assert found[0].identity != found[1].identity


def test_shards_of_a_folder_have_to_be_of_one_kind(tmp_path: Path):
    folder = written("shards", tmp_path)
    pq.write_table(pa.Table.from_pylist([{"id": 1}]), folder / "data" / "train-00002.parquet")
    with pytest.raises(UsageError, match="its shards have different columns"):
        open_source(str(folder), "train", None)
    (folder / "data" / "train-00002.parquet").write_text("PAR0")
    with pytest.raises(UsageError, match=r"train-00002\.parquet: not a \.parquet file"):
        open_source(str(folder), "train", None)


GOOD_LINE = json.dumps(ROWS[0])
WRONG = {
    "not JSON at a line": ("a.jsonl", f"{GOOD_LINE}\n{{oops\n", ["line 2: not JSON", "column 2"]),
    "not an object": ("a.jsonl", f"{GOOD_LINE}\n[1]\n", ["line 2", "found list"]),
    "not a JSON array": ("a.json", '[{"a": 1},', ["not JSON"]),
    "array of other things": ("a.json", "[1]", ["row 1", "found int"]),
    "no rows": ("a.jsonl", "", ["the dataset has no rows"]),
    "no rows in an array": ("a.json", "[]", ["the dataset has no rows"]),
    "header only": ("a.csv", "sql_prompt,sql_context,sql\n", ["the dataset has no rows"]),
    "ragged": ("a.csv", "sql_prompt,sql_context,sql\na,b\n", ["line 2: expected 3 fields"]),
    "column missing": ("a.jsonl", '{"sql_prompt": "q", "text": "x"}\n', [
        "no column for context (sql_context or context or schema); gold (sql or query or SQL)",
        "the columns are sql_prompt, text", "columns: {context: <column>, gold: <column>}"]),
    "mixed types": ("a.jsonl", '{"sql": 1}\n{"sql": "x"}\n', ["rows 1 to 2", "mixed types"]),
    "half a surrogate pair": ("a.jsonl", '{"sql": "\\ud800"}\n', ["rows 1 to 1", "half a surrogate pair"]),
    "a number beyond 64 bits": ("a.jsonl", '{"sql": "x", "id": %s}\n' % ("9" * 30), ["rows 1 to 1", "beyond 64 bits"]),
    "a number of too many digits": ("a.jsonl", '{"id": %s}\n' % ("9" * 5000), ["line 1: JSON that cannot be read"]),
    "nested too deep": ("a.jsonl", '{"x": ' + "[" * 100_000, ["line 1: JSON that cannot be read"]),
    "an array nested too deep": ("a.json", "[" * 100_000, ["JSON that cannot be read"]),
    "not parquet": ("a.parquet", "PAR0", ["not a .parquet file"]),
    "not text": ("a.jsonl", b"\xff\xfe\x00", ["not a .jsonl file"]),
    "another kind of file": ("a.xlsx", "x", ["no such file or dataset; give a Hub id"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: str | bytes, said: list[str]):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        open_source(str(path), "train", 100)
    for part in (str(path), *said):
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", ["jsonl", "saved-splits"])
def test_no_such_split(tmp_path: Path, kind: str):
    with pytest.raises(UsageError, match=r"no split 'test'.*train"):
        open_source(str(written(kind, tmp_path)), "test", 1)


def test_a_line_beyond_the_limit_is_not_read(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD_LINE}\noops\n")
    assert open_source(str(path), "train", 1).count == 1


def test_mapping_of_what_is_not_there(tmp_path: Path):
    path = str(jsonl(tmp_path / "a.jsonl", ROWS))
    with pytest.raises(UsageError, match="no field 'sql'; the fields are question"):
        open_source(path, "train", 1, {"sql": "sql"})
    with pytest.raises(UsageError, match="gold is mapped to 'answer', but the columns are id"):
        open_source(path, "train", 1, {"gold": "answer"})


def test_real_data(shared: Path):
    gretel = open_source(str(shared / "gretel" / "rows.jsonl"), "train", 1000)
    spider = open_source(str(shared / "spider" / "train_rows.parquet"), "train", 10_000)
    assert (gretel.count, spider.count) == (52, 5805)
    assert next(gretel.examples()).id == "5097"
