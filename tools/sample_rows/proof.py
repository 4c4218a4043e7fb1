"""Proof: does a query answer its question, on its database, in one way only?

A row is kept when its query runs, returns something, does not cut a tie at its LIMIT, and would answer otherwise
without its WHERE; when a change changes something and a deletion leaves something. Queries in other dialects are
carried over to SQLite by sqlglot.
"""

from collections.abc import Callable

import apsw
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

FUNCTIONS: dict[str, Callable[[str], int]] = {
    "YEAR": lambda day: int(day[:4]),
    "MONTH": lambda day: int(day[5:7]),
    "DAY": lambda day: int(day[8:10]),
}


def flaw(context: str, query: str, dialect: str) -> str:
    """Why the row cannot be kept, '' if it can. Raises nothing: what does not run is a flaw."""
    try:
        db = _open(context, dialect)
        tree = sqlglot.parse_one(query, read=dialect).transform(_plain_extract)
        if isinstance(tree, exp.Query):
            return _query_flaw(db, tree, query if dialect == "sqlite" else None)
        before = _state(db)
        db.execute(query if dialect == "sqlite" else tree.sql("sqlite"))
        return _change_flaw(before, _state(db), tree)
    except (apsw.Error, SqlglotError, ValueError) as error:
        return str(error)


def _open(context: str, dialect: str) -> apsw.Connection:
    db = apsw.Connection(":memory:")
    for name, function in FUNCTIONS.items():
        db.create_scalar_function(name, lambda day, f=function: None if day is None else f(day), 1, deterministic=True)
    if dialect != "sqlite":
        context = ";".join(sqlglot.transpile(context, read=dialect, write="sqlite"))
    db.execute(context)
    return db


def _plain_extract(node: exp.Expression) -> exp.Expression:
    """EXTRACT(YEAR FROM day) as YEAR(day), which is one of `FUNCTIONS`."""
    if isinstance(node, exp.Extract):
        return exp.Anonymous(this=node.name.upper(), expressions=[node.expression])
    return node


def _query_flaw(db: apsw.Connection, tree: exp.Query, native: str | None) -> str:
    rows = db.execute(native or tree.sql("sqlite")).fetchall()
    if not rows or all(value in (None, 0) for row in rows for value in row):
        return "nothing to return"
    if tree.args.get("limit") and _cuts_a_tie(db, tree, len(rows)):
        return "a tie at the LIMIT"
    if isinstance(tree, exp.Select) and tree.args.get("where"):
        without = tree.copy()
        without.set("where", None)
        if db.execute(without.sql("sqlite")).fetchall() == rows:
            return "a WHERE that changes nothing"
    return ""


def _cuts_a_tie(db: apsw.Connection, tree: exp.Query, kept: int) -> bool:
    """Do the last row that is kept and the first that is not share their sort keys? A LIMIT that cuts none is none."""
    whole = tree.copy()
    skipped = int(whole.args["offset"].expression.name) if whole.args.get("offset") else 0
    whole.set("limit", None)
    whole.set("offset", None)
    if not whole.args.get("order"):
        return True
    if isinstance(whole, exp.Select) and not whole.args.get("distinct"):
        named = {output.alias: output.this for output in whole.expressions if isinstance(output, exp.Alias)}
        keys = [named.get(key.this.name, key.this).copy() for key in whole.args["order"].expressions]
        whole.set("expressions", [*whole.expressions, *keys])
    rows = db.execute(whole.sql("sqlite")).fetchall()
    width = len(tree.args["order"].expressions)
    edges = [place for place in (skipped, skipped + kept) if 0 < place < len(rows)]
    return skipped + kept >= len(rows) or any(rows[p - 1][-width:] == rows[p][-width:] for p in edges)


def _state(db: apsw.Connection) -> dict[str, object]:
    names = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
    return {"schema": names} | {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}


def _change_flaw(before: dict[str, object], after: dict[str, object], tree: exp.Expression) -> str:
    if before == after:
        return "nothing changes"
    if isinstance(tree, exp.Delete) and not after[tree.this.name]:
        return "nothing is left"
    return ""
