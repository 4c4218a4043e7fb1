"""Predictions: every form, paired as it should be, and refused where it does not fit."""

import json
from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.evaluate.benchmark import Question
from sql_rl.evaluate.predictions import BIRD, read_predictions
from sql_rl.examples import Example

QUESTIONS = [
    Question(Example(row=n, id=name, question=f"question {name}", context="", gold="SELECT 1"), db, "easy")
    for n, (name, db) in enumerate([("7", "pets"), ("8", "pets"), ("9", "shops")])
]


def lines(*objects: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in objects)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.sql", "SELECT 1\nSELECT 2\nSELECT 3\n", ["SELECT 1", "SELECT 2", "SELECT 3"]),
        ("p.txt", "SELECT 1\r\n\r\nSELECT 3", ["SELECT 1", None, "SELECT 3"]),
        ("p.sql", "SELECT 1\nSELECT 2\n\n\n\n", ["SELECT 1", "SELECT 2", None]),
        ("p.sql", "SELECT 1\tpets\nSELECT\t2\tpets\nSELECT 3\tshops\n", ["SELECT 1", "SELECT\t2", "SELECT 3"]),
        ("p.sql", "SELECT 1\nSELECT\t2\nSELECT 'a\u2028b'\n", ["SELECT 1", "SELECT\t2", "SELECT 'a\u2028b'"]),
        ("p.sql", "\ufeffSELECT 1\nSELECT 2\nSELECT 3\n", ["SELECT 1", "SELECT 2", "SELECT 3"]),
        (
            "p.jsonl",
            lines({"id": 9, "sql": "SELECT 9"}, {"id": "7", "sql": None}, {"id": 8, "predicted_sql": "SELECT 8"}),
            [None, "SELECT 8", "SELECT 9"],
        ),
        (
            "p.jsonl",
            lines(
                {"completion": "<think>so</think>\n<sql>\nSELECT 1\n</sql>"},
                {"completion": "I do not know."},
                {"completion": ""},
            ),
            ["SELECT 1", None, None],
        ),
        (
            "p.json",
            json.dumps({"2": f"SELECT 9{BIRD}shops", "0": f"SELECT 7{BIRD}pets", "1": ""}),
            ["SELECT 7", None, "SELECT 9"],
        ),
        ("p.json", json.dumps({"9": "SELECT 9", "8": "", "7": "SELECT 7"}), ["SELECT 7", None, "SELECT 9"]),
        ("p.json", json.dumps({"0": 0, "1": None, "2": "SELECT '\ud800'"}), [None, None, "SELECT '?'"]),
        (
            "p.jsonl",
            lines({"question_id": 9, "sql": "A"},
                  {"question_id": 7.0, "sql": "B"}, {"id": "", "question_id": 8, "sql": ""}),
            ["B", None, "A"],
        ),
        ("p.jsonl", lines(*[{"sql": "SELECT '\udfff'", "db_id": ""}] * 3), ["SELECT '?'"] * 3),
        ("p.jsonl", lines(*[{"sql": "A", "db_id": db} for db in ("pets", "pets", "shops")]), ["A"] * 3),
        ("p.sql", "\tpets\n\nSELECT 3\tshops\n", [None, None, "SELECT 3"]),
    ],
)  # fmt: skip
def test_forms(tmp_path: Path, name: str, text: str, expected: list[str | None]):
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read_predictions(path, QUESTIONS) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.sql", "SELECT 1\nSELECT 2\n", "2 predictions for 3 questions"),
        ("p.sql", "SELECT 1\n" * 4, "4 predictions for 3 questions"),
        ("p.sql", "", "0 predictions for 3 questions"),
        ("p.sql", "SELECT 1\tpets\nSELECT 2\tshops\nSELECT 3\n", "line 2 is for the database shops, question 8"),
        ("p.sql", "SELECT 1\tcars\nSELECT 2 FROM t\tcars\n\n", "line 1 is for the database cars, question 7"),
        ("p.jsonl", lines(*[{"sql": "", "db_id": "pets"}] * 3), "row 3 is for the database pets, question 9"),
        ("p.jsonl", lines(*[{"id": n, "sql": "", "db_id": "pets"} for n in (9, 8, 7)]),
         "row 1 is for the database pets"),
        ("p.json", json.dumps({"0": "a", "1": ["b"], "2": "c"}), "expected {"),
        ("p.jsonl", lines({"id": 7, "sql": "a"}), "1 predictions for 3 questions"),
        ("p.jsonl", lines({"id": 7, "sql": ""}, {"id": 8, "sql": ""}, {"id": 8, "sql": ""}), "2 with the id '8'"),
        ("p.jsonl", lines({"id": 7, "sql": ""}, {"id": 8, "sql": ""}, {"id": 1, "sql": ""}), "none for the question"),
        ("p.jsonl", lines({"id": 7, "sql": ""}, {"sql": ""}, {"sql": ""}), "2 of 3 have no id"),
        ("p.jsonl", lines({"id": 7, "query": ""}) * 3, "neither sql nor completion; it has id, query"),
        ("p.jsonl", lines({"id": 7, "sql": 5}) * 3, "line 1: sql is int, not text"),
        ("p.jsonl", "{\n", "line 1: not JSON"),
        ("p.jsonl", "[1]\n", "line 1: expected an object, found list"),
        ("p.json", "[]", "expected {"),
        ("p.json", "{", "not JSON"),
        ("p.json", json.dumps({"0": "a", "1": "b"}), "2 predictions for 3 questions"),
        ("p.json", json.dumps({"7": "a", "8": "b", "x": "c"}), "none for the question '9'"),
        ("p.json", json.dumps({"0": f"a{BIRD}shops", "1": "b", "2": "c"}), "key '0' is for the database shops"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path: Path, name: str, text: str, said: str):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError) as refusal:
        read_predictions(path, QUESTIONS)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "p.sql").write_bytes(b"SELECT '\xff'\n")
    for path, said in ((tmp_path / "none.sql", "cannot be read"), (tmp_path / "p.sql", "not text in UTF-8")):
        with pytest.raises(UsageError, match=said):
            read_predictions(path, QUESTIONS)
