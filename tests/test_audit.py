"""`audit` as a user runs it: the funnel adds up, the findings name their reason, the cleaned set opens."""

import json
import re
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

CONTEXT = "CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (2, 'z')"
ROWS = [
    ("How many rows are there?", "SELECT COUNT(*) FROM t", "kept"),
    ("how many  rows are there?", "SELECT COUNT(a) FROM t", "duplicate question"),
    ("Which c?", "SELECT c FROM t", "gold broken"),
    ("Where is u?", "SELECT * FROM u", "gold broken"),
    ("Name one with the highest a.", "SELECT b FROM t ORDER BY a DESC LIMIT 1", "answer not determined"),
    ("Which b belong to 1?", "SELECT b FROM t WHERE a = 1", "kept"),
    ("Which a are both 1 and 2?", "SELECT a FROM t WHERE a = 1 AND a = 2", "empty or without effect everywhere"),
    ("Forget the ones.", "DELETE FROM t WHERE a = 1", "kept"),
]


@pytest.fixture
def audited(run, tmp_path: Path):
    rows = [{"sql_prompt": q, "sql_context": CONTEXT, "sql": sql, "note": n} for n, (q, sql, _) in enumerate(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    ended = run("audit", "--dataset-repo-id", "rows.jsonl", "--output-dir", "out")
    assert ended.returncode == 0, ended.stderr
    return ended, tmp_path / "out"


def test_every_row_gets_its_finding(audited):
    _, folder = audited
    found = [json.loads(line) for line in (folder / "verdicts.jsonl").open()]
    assert [f["stage"] for f in found] == [stage for _, _, stage in ROWS]
    assert [f["row"] for f in found] == list(range(len(ROWS)))
    assert "no such column: c" in found[2]["audit"]["broken"]
    assert "no such table: u" in found[3]["audit"]["broken"]
    assert found[1]["duplicate_of"] == 0
    assert not found[7]["audit"]["reads"]


def test_the_funnel_adds_up_and_the_cleaned_set_opens(audited, tmp_path: Path):
    ended, folder = audited
    summary = json.loads((folder / "run.json").read_text())
    assert sum(summary["funnel"].values()) == summary["rows"] == len(ROWS)
    kept = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert kept.column_names == ["sql_prompt", "sql_context", "sql", "note"], "rows are as they were"
    assert kept["note"][:] == [0, 5, 7]
    assert pq.read_table(folder / "rejected")["note"].to_pylist() == [1, 2, 3, 4, 6]
    assert "gold broken" in ended.stdout
    assert "no such table: u" in ended.stdout


def test_what_was_audited_can_be_distilled(audited, run):
    ended = run(
        "distill", "--provider", "offline", "--validate", "--dataset-repo-id", "out", "--output-dir", "distilled"
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"accepted +3  100.0 %", ended.stdout)


def test_a_limit_and_a_wrong_source(run):
    ended = run("audit", "--dataset-repo-id", "sample", "--limit", "3")
    assert ended.returncode == 0
    assert "audit-sample: finished" in ended.stdout
    ended = run("audit", "--dataset-repo-id", "nowhere.jsonl")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
