"""Example: one question with its database and its reference query.

The layouts of the datasets in use (Gretel, Spider, BIRD, SynSQL) are mapped onto it by column name, so that
nothing behind this module knows where a row came from. Pure: reading files is `sources.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# For each field of Example, the column names that carry it, the first one present wins.
COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("sql_prompt", "question"),
    "context": ("sql_context", "context", "schema"),
    "gold": ("sql", "query", "SQL"),
    "id": ("id", "question_id"),
    "evidence": ("evidence", "external_knowledge"),
}
REQUIRED = ("question", "context", "gold")


@dataclass(frozen=True, slots=True)
class Example:
    """One question, the database it is asked of, and the query that answers it.

    row: position in the source, from 0; id: the source's own identifier as text, else the position.
    context: the statements (CREATE, INSERT, …) that build the database, in any SQL dialect.
    database: an SQLite file to ask instead; then context is only what a prompt shows ('' for nothing).
    gold: the reference query. evidence: a hint that belongs to the question (BIRD), '' without.
    source: the row as it came, untouched.
    """

    row: int
    id: str
    question: str
    context: str
    gold: str
    database: Path | None = None
    evidence: str = ""
    source: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def columns_of(names: list[str], mapping: Mapping[str, str] | None = None) -> dict[str, str]:
    """Which column of a dataset carries which field of Example: field -> column.

    names: the dataset's columns. mapping: field -> column as the user states it; it wins over `COLUMNS`.
    Raises LookupError naming the missing fields, the columns that are there, and how to map them.
    """
    stated = dict(mapping or {})
    for name, column in stated.items():
        if name not in COLUMNS:
            raise LookupError(f"columns: no field {name!r}; the fields are {', '.join(COLUMNS)}")
        if column not in names:
            raise LookupError(f"columns: {name} is mapped to {column!r}, but the columns are {', '.join(names)}")
    found = {name: next((c for c in candidates if c in names), None) for name, candidates in COLUMNS.items()}
    found |= stated
    missing = [name for name in REQUIRED if found[name] is None]
    if missing:
        wanted = "; ".join(f"{name} ({' or '.join(COLUMNS[name])})" for name in missing)
        way_out = ", ".join(f"{name}: <column>" for name in missing)
        raise LookupError(
            f"no column for {wanted}; the columns are {', '.join(names) or '(none)'}; "
            f"map them in the config as `columns: {{{way_out}}}`"
        )
    return {name: column for name, column in found.items() if column is not None}


def from_row(row: Mapping[str, Any], position: int, columns: Mapping[str, str]) -> Example:
    """The Example in a dataset's row; `columns` is field -> column (`columns_of`), position counts from 0."""

    def text(name: str) -> str:
        value = row.get(columns[name]) if name in columns else None
        return "" if value is None else str(value)

    return Example(
        row=position,
        id=text("id") or str(position),
        question=text("question"),
        context=text("context"),
        gold=text("gold"),
        evidence=text("evidence"),
        source=row,
    )
