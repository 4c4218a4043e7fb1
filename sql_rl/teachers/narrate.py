"""Narrate: the chain of thought behind a query, written from its syntax tree; no language model takes part.

The text goes from the question by way of the schema to the query: what is asked, where it is kept, how the tables are
joined, which rows count, how they are grouped, computed, sorted and cut. It names every table, column and literal of
the query, and differs when the query differs. It is the offline teacher: free, exact, and the baseline for real ones.
"""

import logging
import re
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sql_rl.teachers.narrative.blocks import unfold
from sql_rl.teachers.narrative.free import Prose
from sql_rl.teachers.narrative.linking import link
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.plan import plan
from sql_rl.teachers.narrative.question import Question
from sql_rl.teachers.narrative.schema import Schema, read_schema
from sql_rl.teachers.narrative.unsaid import unsaid
from sql_rl.teachers.narrative.wording import Voice, listing

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its warnings quote what another dialect then reads

_STATEMENTS = (exp.Query, exp.DDL, exp.DML, exp.Alter, exp.Drop, exp.TruncateTable)

Style = Literal["free", "query-plan"]

# '' is sqlglot's own superset of the dialects; the others are asked for what it refuses (backticks, brackets, TOP).
_DIALECTS = ("", "mysql", "postgres", "tsql", "sqlite", "bigquery", "snowflake")

# A slip of Gretel's that no dialect reads and that can only mean days; the judge reads it so too.
_INTERVAL_DATE = re.compile(r"(\bINTERVAL\s+\d+\s+)DATE\b", re.IGNORECASE)


def narrate(question: str, context: str, sql: str, style: Style = "free") -> str:
    """The reasoning that leads from `question`, over the tables of `context`, to `sql`; without tags.

    context: the CREATE statements of the database, in any dialect, other statements ignored. style: 'free' is prose,
    'query-plan' numbered steps. Deterministic. Raises ValueError, in one line, where sql is not one statement that
    some dialect can read, or is nested too deeply to be followed.
    """
    if style not in ("free", "query-plan"):
        raise ValueError(f"style {style!r}: the styles are 'free' and 'query-plan'")
    try:
        return _narrate(question, context, sql, style)
    except RecursionError:
        raise ValueError(f"it is nested too deeply: {_start(sql)}") from None


def _narrate(question: str, context: str, sql: str, style: Style) -> str:
    schema = read_schema(context)
    tree, dialect = _parse(sql)
    if not dialect:
        _read_double_quotes(tree, schema)
    asked = Question(question)
    unfolded = unfold(tree)
    phrases = Phrases(dialect, unfolded.labels)
    links = link(tree, unfolded.labels.values(), schema, asked)
    if style == "query-plan":
        text = plan(asked, schema, phrases, links, unfolded.blocks)
    else:
        prose = Prose(asked, Voice(asked.text), schema=schema, context=context, phrases=phrases, links=links)
        text = prose.tell(unfolded.blocks)
    rest = unsaid(tree, sql, dialect, text)
    return f"{text}\nWhat I write in SQL for this is {listing(rest)}." if rest else text


def _parse(sql: str) -> tuple[exp.Expression, str]:
    """The one statement in a text and the first dialect that reads it."""
    reason = ""
    readable = _INTERVAL_DATE.sub(r"\1DAY", sql)
    for dialect in _DIALECTS:
        try:
            statements = [tree for tree in sqlglot.parse(readable, read=dialect) if tree is not None]
        except SqlglotError as error:
            reason = reason or str(error).splitlines()[0]
            continue
        if len(statements) != 1:
            raise ValueError(f"{len(statements)} statements where one is expected: {_start(sql)}")
        if isinstance(statements[0], _STATEMENTS):
            return statements[0], dialect
    raise ValueError(f"no dialect can read it ({reason or 'unsupported statement'}): {_start(sql)}")


def _start(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= 80 else text[:77] + "..."


def _read_double_quotes(tree: exp.Expression, schema: Schema) -> None:
    """Turns "Spring" into a string where no table in use has a column Spring, as SQLite and MySQL read it."""
    quoted = [
        column
        for column in tree.find_all(exp.Column)
        if not column.table and isinstance(column.this, exp.Identifier) and column.this.quoted
    ]
    if not quoted:
        return
    tables = [table.name for table in tree.find_all(exp.Table)]
    if not all(schema.table(name) for name in tables):
        return
    aliases = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    for column in quoted:
        if column.name.lower() not in aliases and not schema.has_column(column.name, tables):
            column.replace(exp.Literal.string(column.name))
