"""Changes: the statements that write data or define it, as sentences."""

from collections.abc import Callable, Iterator

from sqlglot import exp

from sql_rl.teachers.narrative.blocks import inner, is_query
from sql_rl.teachers.narrative.clauses import conjuncts, remaining
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.wording import listing


def change(node: exp.Expression, phrases: Phrases) -> Iterator[str]:
    """The decisions behind a statement that is no query, a sentence each, without their full stop."""
    tell = _TELLERS.get(type(node))
    if tell is None:
        yield f"This calls for a {node.key.upper()} statement: {phrases.sql(node)}"
    else:
        yield from tell(node, phrases)


def _insert(node: exp.Insert, phrases: Phrases) -> Iterator[str]:
    target = node.this
    columns: list[str] = []
    if isinstance(target, exp.Schema):
        columns = [phrases.name(column.name) for column in target.expressions]
        target = target.this
    table, source = phrases.source(target), node.expression
    verb = "REPLACE or INSERT" if node.args.get("overwrite") else "INSERT"
    yield f"New rows go into {table}, so this is an {verb} INTO {table}"
    if isinstance(source, exp.Values):
        yield from _rows(source, columns, phrases)
    elif source is not None:
        if columns:
            yield f"I fill the columns {listing(columns)}"
        origin = phrases.source(source) if is_query(inner(source)) else phrases.sql(source)
        yield f"The rows to insert are those of {origin}"
    else:
        yield "Every column takes its default"
    yield from _rest(node, {"this", "expression", "overwrite", "with_"}, phrases)


def _rows(values: exp.Values, columns: list[str], phrases: Phrases) -> Iterator[str]:
    rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in values.expressions]
    fits = columns and all(len(row) == len(columns) for row in rows)
    if len(rows) == 1 and fits:
        pairs = [f"{name} = {phrases.value(value)}" for name, value in zip(columns, rows[0], strict=True)]
        yield f"One row is added, with {listing(pairs)}"
        return
    if columns:
        yield f"The columns are filled in the order {listing(columns)}"
    told = [f"({', '.join(phrases.value(value) for value in row)})" for row in rows]
    yield f"The {'row is' if len(rows) == 1 else f'{len(rows)} rows are'} {listing(told)}"


def _update(node: exp.Update, phrases: Phrases) -> Iterator[str]:
    table = phrases.source(node.this)
    yield f"Existing rows of {table} change, so this is an UPDATE of {table}"
    settings = [
        f"{phrases.value(part.this)} becomes {phrases.value(part.expression)}"
        if isinstance(part, exp.EQ)
        else phrases.sql(part)
        for part in node.expressions
    ]
    yield f"In SET, {listing(settings)}"
    yield from _where(node, phrases, "changes", "every row is changed, since no condition is asked for")
    yield from _rest(node, {"this", "expressions", "where", "with_"}, phrases)


def _delete(node: exp.Delete, phrases: Phrases) -> Iterator[str]:
    table = phrases.source(node.this)
    yield f"Rows have to leave {table}, so this is a DELETE FROM {table}"
    yield from _where(node, phrases, "deletes", "every row goes, since no condition is asked for")
    yield from _rest(node, {"this", "where", "with_"}, phrases)


def _where(node: exp.Expression, phrases: Phrases, verb: str, unlimited: str) -> Iterator[str]:
    where = node.args.get("where")
    if where is None:
        yield f"There is no WHERE: {unlimited}"
    else:
        conditions = listing(conjuncts(where.this, phrases))
        yield f"The WHERE clause decides which rows it {verb}: those where {conditions}"


def _create(node: exp.Create, phrases: Phrases) -> Iterator[str]:
    kind = node.args["kind"].upper()
    target = node.this
    schema = target if isinstance(target, exp.Schema) else None
    what = " ".join(word for word, on in (("UNIQUE", node.args.get("unique")), (kind, True)) if on)
    if kind == "INDEX" and isinstance(target, exp.Index):
        yield f"An index has to be created, which is CREATE {what}: {phrases.sql(target)}"
    else:
        named = schema.this if schema else target
        name = phrases.source(named) if isinstance(named, exp.Table) else phrases.sql(named)
        yield f"A new {kind.lower()} named {name} is wanted, so this is CREATE {what} {name}"
    if schema:
        yield from _definitions(schema, phrases)
    if node.expression is not None:
        body = node.expression
        told = phrases.source(body) if is_query(inner(body)) else phrases.sql(body)
        yield f"Its content is defined by {told}"
    if node.args.get("replace"):
        yield "OR REPLACE lets it take the place of an older one"
    if node.args.get("exists"):
        yield "IF NOT EXISTS makes the statement safe to repeat"
    known = {"this", "kind", "expression", "unique", "replace", "exists", "with_"}
    yield from _rest(node, known, phrases)


def _definitions(schema: exp.Schema, phrases: Phrases) -> Iterator[str]:
    columns = [part for part in schema.expressions if isinstance(part, exp.ColumnDef)]
    named = [part for part in schema.expressions if isinstance(part, exp.Identifier)]
    others = [part for part in schema.expressions if not isinstance(part, exp.ColumnDef | exp.Identifier)]
    if columns:
        yield f"Its columns are {listing([definition(column, phrases) for column in columns])}"
    if named:
        yield f"Its columns are called {listing([phrases.name(part.name) for part in named])}"
    for part in others:
        yield f"For the table as a whole I declare {phrases.sql(part)}"


def definition(column: exp.ColumnDef, phrases: Phrases) -> str:
    """'price of type DECIMAL(8, 2), which is NOT NULL' for one column."""
    kind = column.args.get("kind")
    text = phrases.name(column.name) + (f" of type {phrases.sql(kind)}" if kind else "")
    constraints = [phrases.sql(constraint) for constraint in column.args.get("constraints") or []]
    return text + (f" ({', '.join(constraints)})" if constraints else "")


def _alter(node: exp.Alter, phrases: Phrases) -> Iterator[str]:
    kind, name = str(node.args["kind"]).upper(), phrases.source(node.this)
    yield f"The definition of {name} changes and its rows stay, so this is ALTER {kind} {name}"
    for action in node.args["actions"]:
        if isinstance(action, exp.ColumnDef):
            yield f"I add the column {definition(action, phrases)}"
        elif isinstance(action, exp.AlterRename):
            yield f"I rename it with RENAME TO {phrases.source(action.this)}"
        elif isinstance(action, exp.RenameColumn):
            yield f"I rename the column {phrases.value(action.this)} to {phrases.value(action.args['to'])}"
        elif isinstance(action, exp.Drop) and action.args.get("kind") == "COLUMN":
            yield f"I remove it with {phrases.sql(action)}"
        else:
            yield f"The change is {phrases.sql(action)}"
    yield from _rest(node, {"this", "kind", "actions"}, phrases)


def _drop(node: exp.Drop, phrases: Phrases) -> Iterator[str]:
    kind = str(node.args["kind"]).upper()
    names = listing([phrases.source(table) for table in node.args.get("tables") or []])
    yield f"{names} is to go altogether, with all it holds, so this is DROP {kind} {names}"
    if node.args.get("exists"):
        yield "IF EXISTS keeps it from failing where there is none"
    yield from _rest(node, {"kind", "tables", "exists"}, phrases)


def _truncate(node: exp.TruncateTable, phrases: Phrases) -> Iterator[str]:
    names = listing([phrases.source(table) for table in node.expressions])
    yield f"All rows of {names} go while the table itself stays, so this is TRUNCATE TABLE {names}"
    yield from _rest(node, {"expressions"}, phrases)


def _merge(node: exp.Merge, phrases: Phrases) -> Iterator[str]:
    table, source = phrases.source(node.this), phrases.source(node.args["using"])
    yield f"Rows of {source} are to be merged into {table}, so this is MERGE INTO {table} USING {source}"
    yield f"Two rows belong together where {phrases.condition(node.args['on'])}"
    for when in node.args["whens"].expressions:
        yield f"One rule is {phrases.sql(when)}"
    yield from _rest(node, {"this", "using", "on", "whens", "with_"}, phrases)


def _rest(node: exp.Expression, known: set[str], phrases: Phrases) -> Iterator[str]:
    """Every other clause, as SQL."""
    yield from (f"It also takes {phrases.sql(part)}" for part in remaining(node, known))


_TELLERS: dict[type[exp.Expression], Callable[..., Iterator[str]]] = {
    exp.Insert: _insert,
    exp.Update: _update,
    exp.Delete: _delete,
    exp.Create: _create,
    exp.Alter: _alter,
    exp.Drop: _drop,
    exp.TruncateTable: _truncate,
    exp.Merge: _merge,
}
