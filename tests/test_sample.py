"""The bundled sample: its columns, its spread, its soundness, and the generator that writes it."""

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import apsw
import pytest
import sqlglot
from sqlglot import exp

from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sql_rl" / "sample.jsonl"
GENERATOR = ROOT / "tools" / "make_sample.py"
ROWS = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
COLUMNS = [
    "id",
    "domain",
    "domain_description",
    "sql_complexity",
    "sql_complexity_description",
    "sql_task_type",
    "sql_task_type_description",
    "sql_prompt",
    "sql_context",
    "sql",
    "sql_explanation",
]

# Rows that are broken on purpose: id -> what the database has to say.
BROKEN = {
    45: "no such column: launch_year",
    81: "no such table: turbines",  # a CREATE TABLE without its closing bracket
    116: "no such table: product_list",
    117: "syntax error",  # WHERE WHERE
    118: "no such column: f.play",
    129: "no such table: rooms",  # a CREATE TABLE without its opening bracket
    132: "no such column: page_count",
    185: "ambiguous column name: hive_id",
    220: "syntax error",  # FORM for FROM
    227: "ambiguous column name: department_id",
    249: "ambiguous column name: name",
    254: "no such table: vessels",
    256: "syntax error",  # WHERE without a column
    282: "no such column: seat_count",
    318: "no such table: painters",
    319: "no such table: patients",  # CREATE TABEL
    325: "incomplete input",  # a subquery that is not closed
    338: "syntax error",  # COUNT( that is not closed
}

# What has to be there, each as a node of the syntax tree or a pattern in the text.
KINDS = [
    exp.Like, exp.ILike, exp.Between, exp.In, exp.Is, exp.Or, exp.Distinct, exp.Group, exp.Having, exp.Order, exp.Limit,
    exp.Offset, exp.Exists, exp.Case, exp.With, exp.Union, exp.Intersect, exp.Except, exp.RowNumber, exp.Rank,
    exp.DenseRank, exp.Lag, exp.Lead, exp.Ntile, exp.Window, exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Alter,
    exp.Drop, exp.Count, exp.Sum, exp.Avg, exp.Max, exp.Min, exp.Cast,
    r"LEFT JOIN", r"\bTOP \d", r"`", r"\[", r"::", r"YEAR\(", r"EXTRACT\(", r"strftime\(", r"CREATE VIEW",
    r"CREATE INDEX", r"CREATE TABLE", r"WITH RECURSIVE", r"RENAME COLUMN", r"ROWS BETWEEN",
]  # fmt: skip
DIALECTS = {"bike sharing": "mysql", "winemaking": "mysql", "film festival": "mysql", "wind energy": "postgres",
            "mountain weather": "postgres", "co-working spaces": "postgres", "ferry transport": "tsql",
            "waste recycling": "tsql"}  # fmt: skip


def sound() -> list[dict]:
    return [row for row in ROWS if row["id"] not in BROKEN]


def test_columns_and_size():
    assert len(ROWS) >= 300
    assert all(list(row) == COLUMNS for row in ROWS)
    assert all(isinstance(value, str) and value for row in ROWS for name, value in row.items() if name != "id")
    assert SAMPLE.stat().st_size < 700_000


def test_ids_and_questions_are_unique():
    assert [row["id"] for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert max(Counter(row["sql_prompt"] for row in ROWS).values()) == 1


def test_questions_are_sentences():
    assert [row["sql_prompt"] for row in ROWS if not re.fullmatch(r"[A-Z].*[.?]", row["sql_prompt"])] == []
    assert [row["sql_prompt"] for row in ROWS if re.search(r"[{}]|  ", row["sql_prompt"])] == []


def test_every_domain_complexity_and_task_is_there():
    assert len({row["domain"] for row in ROWS}) >= 20
    assert {row["sql_complexity"] for row in ROWS} == {
        "basic SQL",
        "aggregation",
        "single join",
        "multiple_joins",
        "subqueries",
        "window functions",
        "set operations",
        "CTEs",
    }
    assert {row["sql_task_type"] for row in ROWS} == {
        "analytics and reporting",
        "data retrieval",
        "data manipulation",
        "data definition",
    }
    for column in ("domain", "sql_complexity", "sql_task_type"):
        described = {(row[column], row[f"{column}_description"]) for row in ROWS}
        assert len(described) == len({row[column] for row in ROWS})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_query_is_there(kind):
    if isinstance(kind, str):
        assert any(re.search(kind, row["sql"]) for row in sound())
    else:
        trees = (sqlglot.parse_one(row["sql"], read=DIALECTS.get(row["domain"], "sqlite")) for row in sound())
        assert any(tree.find(kind) for tree in trees)


@pytest.mark.parametrize(
    "row", [row for row in sound() if row["domain"] not in DIALECTS], ids=lambda row: f"row {row['id']}"
)
def test_golds_in_sqlite_run_and_answer(row):
    db = apsw.Connection(":memory:")
    db.execute(row["sql_context"])
    before = state(db)
    answer = db.execute(row["sql"]).fetchall()
    assert any(value not in (None, 0) for values in answer for value in values) or state(db) != before


def state(db: apsw.Connection) -> list:
    """Everything in a database: what defines it, and the rows of its tables."""
    schema = db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    return [schema, *(db.execute(f"SELECT * FROM {name}").fetchall() for kind, name, _ in schema if kind == "table")]


async def test_judged_against_themselves_only_the_broken_golds_fail():
    examples = [
        Example(row=row["id"], id="", question=row["sql_prompt"], context=row["sql_context"], gold=row["sql"])
        for row in ROWS
    ]
    async with Judge() as judge:
        judgements = await asyncio.gather(*(judge.judge(example, example.gold) for example in examples))
    for row, judgement in zip(ROWS, judgements, strict=True):
        if row["id"] in BROKEN:
            assert judgement.verdict is Verdict.GOLD_BROKEN, row["sql"]
            assert BROKEN[row["id"]] in judgement.reason
        else:
            assert judgement.verdict is Verdict.MATCH, (row["sql"], judgement.reason)
            assert judgement.undetermined == "", row["sql"]


def test_about_a_twentieth_is_broken():
    assert 0.04 <= len(BROKEN) / len(ROWS) <= 0.06


def generate(tmp_path: Path, *options: str) -> list[dict]:
    out = tmp_path / "rows.jsonl"
    subprocess.run([sys.executable, GENERATOR, "--out", out, *options], check=True, timeout=120)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_the_generator_writes_this_very_sample(tmp_path):
    assert generate(tmp_path) == ROWS


def test_the_generator_writes_other_rows_for_another_seed(tmp_path):
    train = generate(tmp_path, "--rows", "400", "--seed", "1", "--split", "train", "--sound")
    held_out = generate(tmp_path, "--rows", "100", "--seed", "1", "--split", "held-out", "--sound")
    assert (len(train), len(held_out)) == (400, 100)
    assert {row["domain"] for row in train}.isdisjoint(row["domain"] for row in held_out)
    assert len({row["sql_prompt"] for row in train}) == 400
    assert {row["sql_context"] for row in train}.isdisjoint(row["sql_context"] for row in ROWS)
