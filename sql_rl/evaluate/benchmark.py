"""Benchmark: the questions that a model is measured on, from Spider's layout, BIRD's, or rows in Gretel's columns.

A folder of the first two holds a file of questions and a folder of databases, `<db>/<db>.sqlite` each, opened where
they lie. Whatever is wrong with it is found here, before anything is asked or judged.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl.errors import UsageError
from sql_rl.evaluate.databases import inspect
from sql_rl.examples import Example

QUESTION_FILES = ("dev.json", "mini_dev_sqlite.json", "test.json")
DATABASE_FOLDERS = ("database", "dev_databases", "test_database", "databases")
QUESTION, EVIDENCE, ID = ("question",), ("evidence",), ("id", "question_id")
GOLD = ("query", "SQL")  # in Spider's own file `sql` is a parse tree
LEVEL = ("hardness", "difficulty", "sql_complexity")
DATABASE = ("db_id", "domain")  # rows bring their database with them; these columns name it


@dataclass(frozen=True, slots=True)
class Question:
    """One question. example: with its database or context, gold and evidence, as the judge takes it.

    id: the benchmark's own, else the position. db_id: the database's name, '' where rows tell none.
    hardness: the level that the benchmark states, or Spider's, worked out of the gold (`hardness.py`).
    """

    example: Example
    db_id: str
    hardness: str

    @property
    def id(self) -> str:
        return self.example.id


@dataclass(frozen=True, slots=True)
class Benchmark:
    """name: for people to read. identity: changes when the questions or a database do. stamps: database -> identity."""

    name: str
    questions: tuple[Question, ...]
    identity: str
    stamps: Mapping[Path, str]


def open_benchmark(
    name: str, split: str | None, limit: int | None, columns: Mapping[str, str] | None = None, token: str | None = None
) -> Benchmark:
    """The first `limit` questions of a benchmark.

    name: a folder in Spider's or BIRD's layout, the file of questions in such a folder, or what `open_source` takes.
    split: of rows; None is `train` of what lies here, `test` of a Hub id. columns, token: as `open_source` has them.
    Raises UsageError for what is no benchmark or lacks a part, BusyError for a database that a writer holds,
    SqlRlError where the Hub cannot be reached.
    """
    path = Path(name).expanduser()
    if (file := _question_file(path)) is not None:
        return _of_layout(file, limit)
    from sql_rl.sources import open_source  # with pyarrow, which the other layouts do without

    source = open_source(
        name, split or ("train" if path.exists() or "/" not in name else "test"), limit, columns, token
    )
    examples = list(source.examples())
    return Benchmark(
        name=source.title,
        questions=_questions(examples, (example.source for example in examples)),
        identity=source.identity,
        stamps={},
    )


def _question_file(path: Path) -> Path | None:
    """The file of questions where `path` names a benchmark with databases; None for rows."""
    if path.is_dir():
        found = [path / file for file in QUESTION_FILES if (path / file).is_file()]
        if found:
            return found[0]
        if _database_folder(path) is not None:
            raise UsageError(f"{path}: databases without questions: none of {', '.join(QUESTION_FILES)} is there")
        return None
    return path if path.suffix == ".json" and path.is_file() and _database_folder(path.parent) is not None else None


def _database_folder(path: Path) -> Path | None:
    return next((path / folder for folder in DATABASE_FOLDERS if (path / folder).is_dir()), None)


def _of_layout(file: Path, limit: int | None) -> Benchmark:
    folder = _database_folder(file.parent)
    if folder is None:
        raise UsageError(
            f"{file.parent}: {file.name} without databases: none of the folders {', '.join(DATABASE_FOLDERS)} is there"
        )
    text, rows = _rows(file)
    rows = rows[:limit]
    names = [_of(row, ("db_id",), file, n) for n, row in enumerate(rows)]
    databases = _databases(folder, Counter(names))
    stamps = {path: inspect(path) for path in databases.values()}
    examples = [
        Example(
            row=n,
            id=_optional(row, ID) or str(n),
            question=_of(row, QUESTION, file, n),
            context="",
            gold=_of(row, GOLD, file, n),
            database=databases[name],
            evidence=_optional(row, EVIDENCE),
            source=row,
        )
        for n, (row, name) in enumerate(zip(rows, names, strict=True))
    ]
    content = hashlib.sha256(text)
    for name, path in sorted(databases.items()):
        content.update(f"{name} {stamps[path]}\n".encode())
    return Benchmark(
        name=file.parent.name or str(file.parent.resolve().name),
        questions=_questions(examples, rows),
        identity=content.hexdigest()[:16],
        stamps=stamps,
    )


def _rows(file: Path) -> tuple[bytes, list[dict[str, Any]]]:
    try:
        text = file.read_bytes()
        content = json.loads(text)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{file}: not JSON: {error}") from error
    if not isinstance(content, list) or not content or not all(isinstance(row, dict) for row in content):
        raise UsageError(f"{file}: expected an array of questions, each an object")
    return text, content


def _databases(folder: Path, asked: Counter[str]) -> dict[str, Path]:
    """Database name -> file. asked: how many questions each has."""
    paths = {name: folder / name / f"{name}.sqlite" for name in asked}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        first = missing[0]
        raise UsageError(
            f"{folder}: {len(missing)} of {len(paths)} databases missing: {', '.join(missing[:5])}"
            f"{', …' if len(missing) > 5 else ''} (expected {paths[first]}, for {asked[first]} questions)"
        )
    return paths


def _questions(examples: list[Example], rows: Iterable[Mapping[str, Any]]) -> tuple[Question, ...]:
    ids = Counter(example.id for example in examples)
    if twice := next((name for name, count in ids.items() if count > 1), None):
        raise UsageError(f"the benchmark has {ids[twice]} questions with the id {twice!r}: give each its own, or none")
    return tuple(
        Question(example, _optional(row, DATABASE), _optional(row, LEVEL) or _worked_out(example.gold))
        for example, row in zip(examples, rows, strict=True)
    )


def _worked_out(gold: str) -> str:
    from sql_rl.evaluate.hardness import hardness

    return hardness(gold)


def _of(row: Mapping[str, Any], names: tuple[str, ...], file: Path, number: int) -> str:
    value = next((row[name] for name in names if isinstance(row.get(name), str) and row[name].strip()), None)
    if value is None:
        raise UsageError(f"{file}: question {number}: no {' or '.join(names)}; it has {', '.join(row) or 'nothing'}")
    return value


def _optional(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "")), "")
