"""Texts that are not UTF-8: SQLite keeps whatever bytes it is given, and old databases hold some (Spider's wta_1).

apsw decodes strictly, so a row with such a text cannot be fetched. The query is then run once more inside another one
that hands texts over as bytes, and each byte that is no UTF-8 becomes U+FFFD. What a registered function is given
cannot be helped: such a query ends with UnicodeDecodeError.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import apsw

_TEXT, _BLOB = "t", "b"  # before the bytes, to tell what they were


def rows_of(db: apsw.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    """The rows of one query, as they come."""
    yield from resumed(db, sql, db.execute(sql, can_cache=False))


def resumed(db: apsw.Connection, sql: str, found: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows in `found`, what executing the query gave; from the first that cannot be fetched on, run anew."""
    count = 0
    try:
        for row in found:
            yield row
            count += 1
    except UnicodeDecodeError:
        anew = db.execute(in_bytes(sql, len(columns_of(db, sql))), can_cache=False)
        yield from map(decoded, islice(anew, count, None))


def columns_of(db: apsw.Connection, sql: str) -> tuple[str, ...]:
    """The names of a query's columns; it is compiled and not run."""
    names: list[str] = []

    def describe(statement: apsw.Cursor, *_: object) -> bool:
        names.extend(name for name, *_ in statement.get_description())
        return False

    cursor = db.cursor()
    cursor.exec_trace = describe
    try:
        cursor.execute(sql, can_cache=False)
    except apsw.ExecTraceAbort:
        return tuple(names)
    finally:
        cursor.close(True)
    return ()


def in_bytes(sql: str, width: int) -> str:
    """The query with its texts and blobs, of `width` columns, as marked bytes (`decoded`), its rows in their order."""
    names = [f"c{place}" for place in range(width)]
    cells = (
        f"CASE typeof({name}) WHEN 'text' THEN CAST('{_TEXT}' || {name} AS BLOB) "
        f"WHEN 'blob' THEN CAST('{_BLOB}' || {name} AS BLOB) ELSE {name} END"
        for name in names
    )
    inner = sql.rstrip().removesuffix(";")
    return f'WITH "its result"({", ".join(names)}) AS (\n{inner}\n) SELECT {", ".join(cells)} FROM "its result"'


def decoded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of such a query, with its texts and blobs."""
    return tuple(_decoded(value) if isinstance(value, bytes) else value for value in row)


def _decoded(value: bytes) -> str | bytes:
    return value[1:] if value[:1] == _BLOB.encode() else value[1:].decode(errors="replace")
