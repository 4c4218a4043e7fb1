"""Rows for a GPU's student: prompts show a database as `evaluate` does, and nothing else of a row changes."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from support import Run

from benchmarks.gpu_rows import shorten

TABLE = "CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);"
FILLED = TABLE + "".join(f"INSERT INTO town VALUES ({n}, 'Town number {n} of many');" for n in range(300))
ELSEWHERE = "CREATE TABLE town (id SERIAL, name TEXT[]); INSERT INTO town VALUES (1, ARRAY['a']);"  # PostgreSQL's


def test_a_prompt_is_shortened_and_the_row_stays(tmp_path: Path, run_here: Run):
    rows = [
        {"id": n, "sql_prompt": "How many towns?", "sql_context": context, "sql": "SELECT COUNT(*) FROM town"}
        for n, context in enumerate([FILLED, FILLED, TABLE, ELSEWHERE])
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    distilled = tmp_path / "distilled"
    run_here("distill", "--provider", "offline", "--dataset-repo-id", "rows.jsonl", "--output-dir", distilled)
    before = pq.read_table(distilled / "data").to_pylist()
    told = shorten(distilled, tmp_path / "short.parquet", "free", 400)
    after = pq.read_table(tmp_path / "short.parquet").to_pylist()

    assert (told["rows"], told["databases"], told["shortened"], told["as they were"]) == (4, 2, 3, 1)
    assert told["prompt_tokens"][0] > 0 and told["prompt_tokens"][4] <= 400
    assert [{**row, "messages": None} for row in after] == [{**row, "messages": None} for row in before]
    assert [row["messages"][-1] for row in after] == [row["messages"][-1] for row in before]
    long, _, short, elsewhere = (row["messages"][1]["content"] for row in after)
    assert "CREATE TABLE town" in long and "Town number 0" in long and "Town number 299" not in long
    assert "CREATE TABLE town" in short and "How many towns?" in short
    assert elsewhere == before[3]["messages"][1]["content"]
