"""A small benchmark for tests: two databases, six questions, and how they are written to disk."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHOPS = """
CREATE TABLE shop (id INTEGER PRIMARY KEY, town TEXT, staff INT);
INSERT INTO shop VALUES (1, 'Ulm', 4), (2, 'Bonn', 7), (3, 'Ulm', 2), (4, 'Kiel', NULL);
"""
PETS = """
CREATE TABLE pet (name TEXT, kind TEXT, weight REAL);
INSERT INTO pet VALUES ('Rex', 'dog', 12.5), ('Tom', 'cat', 4.0), ('Ida', 'cat', 3.5);
CREATE VIEW cat AS SELECT name FROM pet WHERE kind = 'cat';
"""
DATABASES = {"shops": SHOPS, "pets": PETS}
QUESTIONS = [
    ("shops", "How many shops are there?", "SELECT count(*) FROM shop"),
    ("shops", "Which towns have a shop?", "SELECT DISTINCT town FROM shop"),
    ("shops", "Towns of shops with over 3 people", "SELECT town FROM shop WHERE staff > 3 ORDER BY staff DESC"),
    ("pets", "Names of the cats", "SELECT name FROM pet WHERE kind = 'cat'"),
    ("pets", "How many pets of each kind?", "SELECT kind, count(*) FROM pet GROUP BY kind"),
    ("pets", "Who is the heaviest?", "SELECT name FROM pet ORDER BY weight DESC LIMIT 1"),
]  # fmt: skip
GOLDS = [gold for _, _, gold in QUESTIONS]


def write_database(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()
    return path


def write_questions(path: Path, **more: Any) -> list[dict[str, Any]]:
    rows = [{"db_id": db, "question": question, "query": gold, **more} for db, question, gold in QUESTIONS]
    path.write_text(json.dumps(rows))
    return rows


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@contextlib.contextmanager
def exclusively_held(path: Path) -> Iterator[None]:
    """Another process holds the database as a writer does in the middle of a change."""
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "held\n"
        yield
        writer.communicate("\n")
