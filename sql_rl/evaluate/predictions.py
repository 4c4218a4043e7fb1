"""Predictions: a file of queries, paired with a benchmark's questions.

    text    one query a line, `SQL` or `SQL<tab>db_id`, in the benchmark's order; an empty line is no answer
    .jsonl  objects with `id` (or `question_id`) and `sql`, `predicted_sql`, or a raw `completion`, which is parsed
    .json   BIRD's form: {"0": "SQL\\t----- bird -----\\tdb_id", …}; a value that is no text is no answer, as there

Paired by id where there is one, else by position. A file that does not fit is refused: a score over shifted lines is
worse than none.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sql_rl.answers import encodable, parse
from sql_rl.errors import UsageError
from sql_rl.evaluate.benchmark import Question

BIRD = "\t----- bird -----\t"
QUERY = ("sql", "predicted_sql")
ID = ("id", "question_id")
_NAMED = re.compile(r".*\t[ ]*[\w.-]+[ ]*")  # a line that ends as `SQL<tab>db_id` does


def read_predictions(path: Path, questions: Sequence[Question]) -> list[str | None]:
    """The predicted query for each question, in their order; None where there is none.

    Raises UsageError for a file that cannot be read, is not in its form, or does not fit the questions.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"--predictions {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--predictions {path}: not text in UTF-8: {error}") from error
    match path.suffix.lower():
        case ".jsonl":
            return _json_lines(path, text, questions)
        case ".json":
            return _bird(path, text, questions)
    return _lines(path, text, questions)


def _lines(path: Path, text: str, questions: Sequence[Question]) -> list[str | None]:
    lines = text.removesuffix("\n").split("\n") if text else []
    while len(lines) > len(questions) and not lines[-1].strip():
        lines.pop()
    _check_count(path, len(lines), len(questions))
    named = {question.db_id for question in questions}
    all_named = len(lines) > 1 and all(_NAMED.fullmatch(line) for line in lines if line.strip())
    found = []
    for number, (line, question) in enumerate(zip(lines, questions, strict=True), start=1):
        query, tab, name = line.rpartition("\t")
        has_name = bool(tab) and (all_named or name.strip() in named)
        if has_name:
            _check_database(path, f"line {number}", name.strip(), question)
        found.append((query if has_name else line).strip() or None)
    return found


def _bird(path: Path, text: str, questions: Sequence[Question]) -> list[str | None]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--predictions {path}: not JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(value, str | int | None) for value in content.values()):
        raise UsageError(
            f'--predictions {path}: expected {{"0": "SQL{BIRD}db_id", …}}; one object a line belongs into a .jsonl file'
        )
    _check_count(path, len(content), len(questions))
    by_position = {str(n): question for n, question in enumerate(questions)}
    by_key = by_position if content.keys() == by_position.keys() else {q.id: q for q in questions}
    found = {}
    for key, question in by_key.items():
        if key not in content:
            raise UsageError(f"--predictions {path}: none for the question {key!r} ({question.example.question})")
        query, mark, name = content[key].partition(BIRD) if isinstance(content[key], str) else ("", "", "")
        if mark:
            _check_database(path, f"key {key!r}", name.strip(), question)
        found[question.id] = encodable(query.strip()) or None
    return [found[question.id] for question in questions]


def _json_lines(path: Path, text: str, questions: Sequence[Question]) -> list[str | None]:
    # Not splitlines: a completion may hold what Unicode calls a line's end.
    rows = [_object(path, number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    _check_count(path, len(rows), len(questions))
    queries = [_query(path, number, row) for number, row in enumerate(rows, start=1)]
    ids = [_id(row) for row in rows]
    if all(name is None for name in ids):
        for number, (row, question) in enumerate(zip(rows, questions, strict=True), start=1):
            _check_row(path, number, row, question)
        return queries
    if any(name is None for name in ids):
        raise UsageError(f"--predictions {path}: {ids.count(None)} of {len(ids)} have no id: give all one, or none")
    if (twice := Counter(ids).most_common(1)[0])[1] > 1:
        raise UsageError(f"--predictions {path}: {twice[1]} with the id {twice[0]!r}; one to a question")
    place = {name: n for n, name in enumerate(ids)}
    for question in questions:
        if question.id not in place:
            raise UsageError(
                f"--predictions {path}: none for the question {question.id!r} ({question.example.question})"
            )
        _check_row(path, place[question.id] + 1, rows[place[question.id]], question)
    return [queries[place[question.id]] for question in questions]


def _id(row: dict[str, Any]) -> str | None:
    """As the benchmark's are written: 7.0, which a table with gaps makes of 7, is 7."""
    value = next((row[name] for name in ID if row.get(name) not in (None, "")), None)
    return None if value is None else str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _check_row(path: Path, number: int, row: dict[str, Any], question: Question) -> None:
    if row.get("db_id") and question.db_id:
        _check_database(path, f"row {number}", str(row["db_id"]), question)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"--predictions {path}: line {number}: not JSON: {error}") from error
    if not isinstance(row, dict):
        raise UsageError(f"--predictions {path}: line {number}: expected an object, found {type(row).__name__}")
    return row


def _query(path: Path, number: int, row: dict[str, Any]) -> str | None:
    name = next((name for name in (*QUERY, "completion") if name in row), None)
    if name is None:
        raise UsageError(f"--predictions {path}: line {number}: neither sql nor completion; it has {', '.join(row)}")
    value = row[name]
    if value is not None and not isinstance(value, str):
        raise UsageError(f"--predictions {path}: line {number}: {name} is {type(value).__name__}, not text")
    if value is None or not value.strip():
        return None
    value = encodable(value)
    return parse(value).sql if name == "completion" else value.strip()


def _check_count(path: Path, found: int, wanted: int) -> None:
    if found != wanted:
        raise UsageError(f"--predictions {path}: {found:,} predictions for {wanted:,} questions: give one for each")


def _check_database(path: Path, place: str, name: str, question: Question) -> None:
    if name != question.db_id:
        raise UsageError(
            f"--predictions {path}: {place} is for the database {name}, question {question.id} asks {question.db_id}: "
            "the file is for another order, or another benchmark"
        )
