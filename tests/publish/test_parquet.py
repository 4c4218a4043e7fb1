"""Shards: by the rows of the source, so that each is final as soon as its rows are settled."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sql_rl.publish.parquet import DatasetWriter

SCHEMA = pa.schema([("n", pa.int64())])


def written(folder: Path, rows: str) -> tuple[dict[str, list[int]], list[list[str]]]:
    """The files and the numbers in them, and which shards closed at which row. rows: + kept, - rejected, . missing."""
    writer, closed = DatasetWriter(folder / "data", folder / "rejected", SCHEMA, shard_rows=3), []
    for n, kind in enumerate(rows):
        if kind == ".":
            writer.skip()
        else:
            writer.add({"n": n}, kind == "+")
        closed.append([shard.name for shard in writer.closed()])
    writer.finish()
    files = sorted(folder.rglob("*.*"))
    return {p.relative_to(folder).as_posix(): pq.read_table(p)["n"].to_pylist() for p in files}, closed


@pytest.mark.parametrize(
    ("rows", "files"),
    [
        ("", {"data/train-00000.parquet": [], "rejected/train-00000.parquet": []}),
        ("+", {"data/train-00000.parquet": [0], "rejected/train-00000.parquet": []}),
        ("+++", {"data/train-00000.parquet": [0, 1, 2], "rejected/train-00000.parquet": []}),
        ("+-+--+", {"data/train-00000.parquet": [0, 2], "data/train-00001.parquet": [5],
                    "rejected/train-00000.parquet": [1], "rejected/train-00001.parquet": [3, 4]}),
        ("---+", {"data/train-00001.parquet": [3], "rejected/train-00000.parquet": [0, 1, 2]}),
        ("+......+", {"data/train-00000.parquet": [0], "data/train-00002.parquet": [7],
                      "rejected/train-00000.parquet": []}),
    ],
)  # fmt: skip
def test_which_row_goes_where(tmp_path: Path, rows: str, files: dict[str, list[int]]):
    assert written(tmp_path, rows)[0] == files


def test_a_shard_closes_with_its_last_row_and_is_told_once(tmp_path: Path):
    first, second = "data/train-00000.parquet", "data/train-00001.parquet"
    assert written(tmp_path, "+-+.++")[1] == [[], [], [first, "rejected/train-00000.parquet"], [], [], [second]]


def test_a_row_that_comes_later_changes_one_shard_only(tmp_path: Path):
    written(tmp_path, "+++.+++++")
    before = {p.name: p.read_bytes() for p in (tmp_path / "data").iterdir()}
    written(tmp_path, "+++++++++")
    after = {p.name: p.read_bytes() for p in (tmp_path / "data").iterdir()}
    assert [name for name in sorted(after) if after[name] != before[name]] == ["train-00001.parquet"]


def test_the_files_of_an_earlier_derivation_stay_until_the_new_ones_are_whole(tmp_path: Path):
    written(tmp_path, "++++-")
    before = {p.name for p in tmp_path.rglob("*.parquet")}
    DatasetWriter(tmp_path / "data", tmp_path / "rejected", SCHEMA, shard_rows=3).add({"n": 7}, True)
    assert {p.name for p in tmp_path.rglob("*.parquet")} == before
    assert written(tmp_path, "+")[0] == {"data/train-00000.parquet": [0], "rejected/train-00000.parquet": []}
