"""What a prompt shows of a database that is a file: the statements that build it, as the rows of a training set do.

In the order of preference: the whole database, as Python's `sqlite3` dumps it (so that a student that was trained on
dumps meets what it knows); its tables with the first rows of each; its tables alone. Never more than what fits into a
prompt is read, whatever the size of the file.
"""

from collections.abc import Iterator
from pathlib import Path

import apsw

from sql_rl.judge.undecodable import rows_of

SHOWN_ROWS = 3  # of each table, where not all fit
SHOWN_CHARACTERS = 80  # of a text among them


def renderings(path: Path, characters: int) -> list[str]:
    """The texts that may stand for the database at `path`, the fullest first; those over `characters` are left out,
    except the last one, the bare schema.

    A table that SQLite does not let us read (a virtual one of an unknown module) is shown without rows.
    """
    db = apsw.Connection(
        f"{path.resolve().as_uri()}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    try:
        fuller = [_bounded(_statements(db, rows), characters) for rows in (None, SHOWN_ROWS)]
        texts = [*fuller, "\n".join(_statements(db, 0))]
    finally:
        db.close()
    return list(dict.fromkeys(text for text in texts if text is not None))


def _bounded(statements: Iterator[str], characters: int) -> str | None:
    """The statements, a line each; None once they are longer than that."""
    taken, length = [], 0
    for statement in statements:
        taken.append(statement)
        length += len(statement) + 1
        if length > characters:
            return None
    return "\n".join(taken)


def _statements(db: apsw.Connection, rows: int | None) -> Iterator[str]:
    """CREATE and INSERT statements, table by table, then the rest. rows: of each table, None for all."""
    own = "sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    for name, definition in db.execute(
        f"SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND {own} ORDER BY name"
    ):
        yield f"{definition};"
        try:
            yield from _inserts(db, name, rows)
        except apsw.Error as error:
            yield f"-- the rows cannot be read: {' '.join(str(error).split())}"
    others = "type = 'view'" if rows is not None else "type IN ('index', 'trigger', 'view')"
    for (definition,) in db.execute(f"SELECT sql FROM sqlite_schema WHERE {others} AND {own}"):
        yield f"{definition};"


def _inserts(db: apsw.Connection, table: str, rows: int | None) -> Iterator[str]:
    if rows == 0:
        return
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({_quoted(table)})")]
    shown = (_quoted(name) if rows is None else _shortened(_quoted(name)) for name in columns)
    limit = "" if rows is None else f" LIMIT {rows}"
    query = f"SELECT {', '.join(f'quote({column})' for column in shown)} FROM {_quoted(table)}{limit}"
    for values in rows_of(db, query):
        yield f"INSERT INTO {_quoted(table)} VALUES({','.join(values)});"


def _shortened(column: str) -> str:
    """A column's value, a long text or blob cut, so that one cell fills no prompt."""
    long = f"typeof({column}) IN ('text', 'blob') AND length({column}) > {SHOWN_CHARACTERS}"
    return f"CASE WHEN {long} THEN substr({column}, 1, {SHOWN_CHARACTERS - 1}) || '…' ELSE {column} END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
