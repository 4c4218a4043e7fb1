"""Clauses: one SELECT taken apart into phrases, in the order in which a database works it out.

Both styles of telling are made from these, so that neither can leave anything out that the other has.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from sqlglot import exp

from sql_rl.teachers.narrative.blocks import direct_queries, is_small
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.schema import Schema

# The clauses of a set operation that `limits` and its two sides tell.
SET_OPERATION = frozenset({"with_", "this", "expression", "order", "limit", "offset"})
_JOIN = frozenset({"this", "method", "side", "kind", "on", "using"})
_KNOWN = frozenset(
    {"with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "order", "limit", "offset"}
)


@dataclass(frozen=True, slots=True)
class Join:
    """kind: the words of the join ('JOIN', 'LEFT JOIN'); on: its condition or ''; key: the foreign key behind it."""

    kind: str
    source: str
    on: str
    key: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column that a condition holds against a literal. numeric: is the literal a number?"""

    column: str
    literal: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Nested:
    """A subquery in a condition. use: 'exists', 'list' or 'value'; correlated: does it look at the outer row?"""

    use: str
    correlated: bool


@dataclass(frozen=True, slots=True)
class Clauses:
    """The phrases of a SELECT; an empty tuple or string where it has no such clause.

    filters and having are conditions that must all hold; compared: the columns and literals in the filters.
    aggregated: does it fold many rows into one? windowed: is there a window function in it?
    nested: what its first small subquery is for. group_key: the table whose primary key is grouped by.
    others: clauses without a phrase of their own, as SQL.
    """

    source: str
    joins: tuple[Join, ...]
    filters: tuple[str, ...]
    compared: tuple[Comparison, ...]
    groups: tuple[str, ...]
    having: tuple[str, ...]
    outputs: tuple[str, ...]
    glosses: tuple[str, ...]
    distinct: str
    order: str
    limit: str
    offset: str
    aggregated: bool
    windowed: bool
    nested: Nested | None
    group_key: str
    others: tuple[str, ...]


def clauses(select: exp.Select, phrases: Phrases, schema: Schema) -> Clauses:
    """Takes a Select apart. schema: where the foreign keys behind its joins are looked up."""
    args = select.args
    from_ = args.get("from_")
    where, group, having = args.get("where"), args.get("group"), args.get("having")
    order, limit, offset = args.get("order"), args.get("limit"), args.get("offset")
    joins = args.get("joins") or []
    aliases = {table.alias_or_name.lower(): table.name for table in sources(select)}
    plain_group = group is not None and {key for key, value in group.args.items() if value} <= {"expressions"}
    others = [phrases.sql(part) for part in remaining(select, _KNOWN)]
    if group is not None and not plain_group:
        others.append(phrases.sql(group))
    return Clauses(
        source=phrases.source(from_.this) if from_ else "",
        joins=tuple(_join(join, phrases, schema, aliases) for join in joins),
        filters=conjuncts(where.this, phrases) if where else (),
        compared=tuple(_comparisons(where.this)) if where else (),
        groups=tuple(phrases.value(key) for key in group.expressions) if plain_group else (),
        having=conjuncts(having.this, phrases) if having else (),
        outputs=tuple(phrases.value(output) for output in select.expressions),
        glosses=tuple(phrases.gloss(output) for output in select.expressions),
        distinct=_distinct(args.get("distinct"), phrases),
        order=phrases.orders(order) if order else "",
        limit=_limit(limit, phrases) if limit else "",
        offset=phrases.value(offset.expression) if offset else "",
        aggregated=any(_aggregates(output) for output in select.expressions),
        windowed=any(output.find(exp.Window) for output in select.expressions),
        nested=_nested(where or having) if where or having else None,
        group_key=_group_key(group, schema, aliases) if plain_group else "",
        others=tuple(others),
    )


def conjuncts(node: exp.Expression, phrases: Phrases) -> tuple[str, ...]:
    """The conditions that must all hold, a phrase each; an OR among them keeps its brackets."""
    parts = list(node.flatten()) if isinstance(node, exp.And) else [node]
    alone = len(parts) == 1
    return tuple(
        phrases.condition(part) if alone or not isinstance(part, exp.Connector) else f"({phrases.condition(part)})"
        for part in parts
    )


def _comparisons(node: exp.Expression) -> Iterator[Comparison]:
    for part in node.walk(prune=lambda part: isinstance(part, exp.Select)):
        if isinstance(part, exp.Binary) and isinstance(part.this, exp.Column):
            literal = part.expression
            if isinstance(literal, exp.Literal):
                yield Comparison(part.this.name, literal.this, not literal.is_string)


def _nested(condition: exp.Expression) -> Nested | None:
    for query in direct_queries(condition):
        if is_small(query):
            own = {table.alias_or_name.lower() for table in sources(query)}
            uses = {exp.Exists: "exists", exp.In: "list"}
            holder = query.find_ancestor(exp.Exists, exp.In, exp.Binary)
            correlated = any(column.table and column.table.lower() not in own for column in query.find_all(exp.Column))
            return Nested(uses.get(type(holder), "value"), correlated)
    return None


def _group_key(group: exp.Group, schema: Schema, aliases: dict[str, str]) -> str:
    if not all(isinstance(key, exp.Column) for key in group.expressions):
        return ""
    owners = {key.table.lower() for key in group.expressions}
    if len(owners) != 1:
        return ""
    owner = owners.pop() or (next(iter(aliases)) if len(aliases) == 1 else "")
    table = schema.table(aliases.get(owner, ""))
    names = {key.name.lower() for key in group.expressions}
    return table.name if table and table.primary_key and names >= {name.lower() for name in table.primary_key} else ""


def sources(select: exp.Expression) -> list[exp.Table]:
    """The tables in the FROM and JOIN clauses of a query, in order."""
    from_ = select.args.get("from_")
    places = ([from_.this] if from_ else []) + [join.this for join in select.args.get("joins") or []]
    return [place for place in places if isinstance(place, exp.Table)]


def remaining(node: exp.Expression, known: Set[str]) -> list[exp.Expression]:
    """The clauses of a node under other keys than the known ones."""
    values = [value for key, value in node.args.items() if key not in known]
    parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return [part for part in parts if isinstance(part, exp.Expression)]


def limits(query: exp.Expression, phrases: Phrases) -> tuple[str, str, str]:
    """(order, limit, offset) of a set operation, '' for those it does not have."""
    order, limit, offset = (query.args.get(key) for key in ("order", "limit", "offset"))
    return (
        phrases.orders(order) if order else "",
        _limit(limit, phrases) if limit else "",
        phrases.value(offset.expression) if offset else "",
    )


def first_rows(limit: str, offset: str) -> str:
    """What a LIMIT and an OFFSET, as they stand in Clauses, leave: 'the first 3 rows (LIMIT 3)'."""
    rows = "the first row" if limit == "1" else f"the first {limit} rows" if limit.isdigit() else "what is left"
    kept = f"{rows} (LIMIT {limit})" if limit.isdigit() else f"{rows} of {limit}" if limit else "the rest"
    return f"{kept} after skipping {offset} (OFFSET {offset})" if offset else kept


def _aggregates(output: exp.Expression) -> bool:
    return any(
        isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window)
        for node in output.walk(prune=lambda node: isinstance(node, exp.Select | exp.Window))
    )


def _distinct(distinct: exp.Expression | None, phrases: Phrases) -> str:
    if distinct is None:
        return ""
    on = distinct.args.get("on")
    return f"DISTINCT ON {phrases.value(on)}" if on else "DISTINCT"


def _limit(limit: exp.Expression, phrases: Phrases) -> str:
    count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.args.get("expression")
    options = limit.args.get("limit_options")
    plain = not options or not (options.args.get("percent") or options.args.get("with_ties"))
    if count is not None and plain and not limit.args.get("offset"):
        return phrases.value(count)
    return phrases.sql(limit).strip()


def _join(join: exp.Join, phrases: Phrases, schema: Schema, aliases: dict[str, str]) -> Join:
    words = [join.args.get(key) for key in ("method", "side", "kind")]
    kind = " ".join([word.upper() for word in words if word] + ["JOIN"])
    condition, using = join.args.get("on"), join.args.get("using")
    on = phrases.condition(condition) if condition else ""
    if using:
        on = f"the shared column {', '.join(phrases.name(column.name) for column in using)} (USING)"
    on = ", ".join([*filter(None, [on]), *(phrases.sql(part) for part in remaining(join, _JOIN))])
    if not on and kind == "JOIN":
        kind = "comma join"
    return Join(kind, phrases.source(join.this), on, _key(condition, schema, aliases) if condition else "")


def _key(condition: exp.Expression, schema: Schema, aliases: dict[str, str]) -> str:
    """The declared foreign key that an equality follows: 'management.head_ID references head.head_ID'."""
    left, right = condition.this, condition.args.get("expression")
    if not (isinstance(condition, exp.EQ) and isinstance(left, exp.Column) and isinstance(right, exp.Column)):
        return ""
    for child, parent in ((left, right), (right, left)):
        child_table, parent_table = (aliases.get(column.table.lower(), "") for column in (child, parent))
        if schema.reference(child_table, child.name, parent_table, parent.name):
            return f"{child_table}.{child.name} references {parent_table}.{parent.name}"
    return ""
