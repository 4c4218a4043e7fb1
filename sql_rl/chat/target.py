"""The database's own dialect, whatever dialect the model wrote in. Pure but for the check that is handed in.

A model that is told its target mostly writes for it; a student that was trained on SQLite writes SQLite. So the query
as it stands is tried first, and what the engine refuses is read in the dialects whose marks it bears, then as SQLite's.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from sql_rl.chat.databases.base import QueryError, Table
from sql_rl.judge.dialects.dialect import NATIVE, UNREADABLE, guess, parse, readings
from sql_rl.judge.dialects.rewrite import resolve_strings
from sql_rl.judge.dialects.scope import Scope
from sql_rl.judge.dialects.statements import split


def fitted(sql: str, dialect: str, tables: Sequence[Table], check: Callable[[str], None]) -> tuple[str, str]:
    """A query that the database compiles, and the dialect that it had to be read in ('' for as it stands).

    check: raises QueryError for what the database does not compile. Raises QueryError with what is wrong with the
    query as it stands where no reading will do.
    """
    statements = split(sql)
    if len(statements) != 1:
        raise QueryError(f"it holds {len(statements)} statements: one is run at a time")
    sql = statements[0]
    try:
        check(sql)
    except QueryError as error:
        if not error.repairable:
            raise
        for source, written in _translations(sql, dialect, tables):
            try:
                check(written)
            except QueryError:
                continue
            return written, source
        raise
    return sql, ""


def _translations(sql: str, dialect: str, tables: Sequence[Table]) -> Iterator[tuple[str, str]]:
    """The query in the target's dialect, as read in others: source dialect and text, the likeliest first."""
    columns = frozenset(column.casefold() for table in tables for column in table.columns)
    if dialect == NATIVE:
        ways = readings(sql, NATIVE, Scope(columns=columns, sqlite=True))
        yield from ((way.dialect, way.sql) for way in ways if way.sql not in ("", sql))
        return
    for source in dict.fromkeys((*guess(sql), NATIVE)):
        tree = parse(sql, source) if source != dialect else None
        if tree is not None and (written := _written(tree, sql, dialect, Scope(columns=columns, dialect=source))):
            yield source, written


def _written(tree: exp.Expression, sql: str, dialect: str, scope: Scope) -> str:
    """The tree in the target's dialect; '' where sqlglot cannot say it there."""
    try:
        if scope.dialect == NATIVE:
            resolve_strings(tree, sql, scope)  # "Ulm" in double quotes is a text where no column has that name
        return tree.sql(dialect=dialect, unsupported_level=ErrorLevel.RAISE, comments=False)
    except (SqlglotError, *UNREADABLE):
        return ""
