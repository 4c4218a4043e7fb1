"""From a query's tree, read in any dialect, to a tree that SQLite runs with the same meaning.

Promise: `for_sqlite` leaves alone what SQLite has, puts calls of `functions.py` where it has no counterpart, and says
in short phrases what it did. What it does not know stays as it is, and SQLite will refuse it by name. Statements
that define or change data are taken further by `definitions.py`.
"""

from sqlglot import exp

from sql_rl.judge.dialects.rewrite_dates import (
    DATE_ARITHMETIC,
    DATE_HANDLERS,
    DATE_PHRASES,
    bare,
    compared_with_interval,
    sum_of_dates,
)
from sql_rl.judge.dialects.scope import Handler, Scope, call


def for_sqlite(tree: exp.Expression, scope: Scope) -> tuple[exp.Expression, tuple[str, ...]]:
    """The tree for SQLite, and what was rewritten. The given tree is consumed."""
    notes: dict[str, None] = {}  # in order, each once
    _name_columns_of_qualify(tree)
    for node in reversed(list(tree.walk())):  # children before their parents
        handle = _HANDLERS.get(type(node))
        new = handle(node, scope) if handle else node
        if new is not node:
            notes[_phrase(node, new)] = None
            if node is tree:
                tree = new
            else:
                node.replace(new)
    return tree, tuple(notes)


def _phrase(old: exp.Expression, new: exp.Expression) -> str:
    if isinstance(new, exp.DPipe):
        return "+ between texts as ||"
    name = old.sql_name() if isinstance(old, exp.Func) else old.key.upper()
    return _PHRASES.get(type(old)) or f"{name} by a function of the judge"


def _name_columns_of_qualify(tree: exp.Expression) -> None:
    """sqlglot turns QUALIFY into a subquery, whose columns need names to be taken from it."""
    for select in tree.find_all(exp.Select):
        if select.args.get("qualify"):
            named = [
                column if column.alias_or_name else exp.alias_(column, f"column_{place}")
                for place, column in enumerate(select.expressions, 1)
            ]
            select.set("expressions", named)


def resolve_strings(tree: exp.Expression, text: str, scope: Scope) -> bool:
    """Read names in double quotes that name no column and no alias as strings, in place, as SQLite does.

    text: what the tree was read from; the tree does not tell one kind of quotes from another. Returns whether there
    were any.
    """
    if '"' not in text:
        return False
    known = scope.columns | {alias.alias.casefold() for alias in tree.find_all(exp.Alias)}
    strings = [
        column
        for column in tree.find_all(exp.Column)
        if not column.table
        and isinstance(column.this, exp.Identifier)
        and column.this.quoted
        and column.name.casefold() not in known
        and f'"{column.name}"' in text
    ]
    for column in strings:
        column.replace(exp.Literal.string(column.name))
    return bool(strings)


def _plus(node: exp.Expression, scope: Scope) -> exp.Expression:
    """T-SQL joins texts with +: known by a string, or what is made of one, on either side."""
    if scope.dialect == "tsql" and (_is_text(node.this) or _is_text(node.expression)):
        return exp.DPipe(this=node.this, expression=node.expression)
    return sum_of_dates(+1)(node, scope)


def _is_text(node: exp.Expression) -> bool:
    return (
        isinstance(node, exp.DPipe)
        or (isinstance(node, exp.Literal) and node.is_string)
        or (isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEXT_TYPES))
    )


def _named(name: str) -> Handler:
    """The same arguments under another name."""
    return lambda node, _: call(name, *[a for a in [node.this, *node.args.get("expressions", [])] if a is not None])


def _cast(node: exp.Expression, _: Scope) -> exp.Expression:
    to = node.to
    if to.is_type("date"):
        return call("date", bare(node.this))
    if to.is_type("datetime", "timestamp", "timestamptz", "timestampltz", "datetime2", "smalldatetime"):
        return call("datetime", bare(node.this))
    if to.is_type("decimal") and len(to.expressions) == 2:
        real = exp.Cast(this=node.this, to=exp.DataType.build("REAL"))
        return call("round", real, to.expressions[1].this)
    if to.is_type(*exp.DataType.TEXT_TYPES) and to.expressions:
        plain = exp.Cast(this=node.this, to=exp.DataType.build("TEXT"))
        return call("substr", plain, 1, to.expressions[0].this) if to.expressions[0].this.is_int else plain
    return node


def _inner_aggregate(node: exp.Expression, _: Scope) -> exp.Expression:
    """An aggregate of an aggregate: within a group the inner one is a single value, so it is that value."""
    inner = node.this
    single = isinstance(inner, exp.AggFunc) and not isinstance(node.parent, exp.Window)
    return inner if single else node


def _within_group(node: exp.Expression, _: Scope) -> exp.Expression:
    inner, order = node.this, node.expression
    if isinstance(inner, exp.PercentileCont | exp.PercentileDisc) and isinstance(order, exp.Order):
        return call(inner.key.replace("percentile", "percentile_"), order.expressions[0].this, inner.this)
    return node


def _joined_group(node: exp.Expression, _: Scope) -> exp.Expression:
    """SQLite takes DISTINCT in an aggregate of one argument only, so not beside a separator."""
    separator = node.args.get("separator")
    order = node.this if isinstance(node.this, exp.Order) else None
    inner = order.this if order else node.this
    if not isinstance(inner, exp.Distinct) or separator is None:
        return node
    arguments = [inner.expressions[0], separator]
    if order:
        arguments[-1] = exp.Order(this=separator, expressions=order.expressions)
    return call("group_concat_distinct", *arguments)


def _qualified(node: exp.Expression, _: Scope) -> exp.Expression:
    """schema.table: a judged database has one schema."""
    if node.args.get("db") is None:
        return node
    plain = node.copy()
    plain.set("db", None)
    plain.set("catalog", None)
    return plain


def _qualified_column(node: exp.Expression, _: Scope) -> exp.Expression:
    if node.args.get("db") is None:
        return node
    return exp.column(node.this.copy(), table=node.args["table"].copy())


def _compared(node: exp.Expression, scope: Scope) -> exp.Expression:
    """A comparison with ALL or ANY of a subquery's rows, as EXISTS; one with an interval, in seconds."""
    if isinstance(node.expression, exp.All | exp.Any):
        return _quantified(node)
    return compared_with_interval(node, scope)


def _quantified(node: exp.Expression) -> exp.Expression:
    of_all, rows = isinstance(node.expression, exp.All), node.expression.this.unnest()
    if not isinstance(rows, exp.Select) or len(rows.expressions) != 1 or rows.expressions[0].is_star:
        return node
    if isinstance(node, exp.EQ) and not of_all:
        return exp.In(this=node.this, query=exp.Subquery(this=rows))
    rows.set("expressions", [exp.alias_(rows.expressions[0].unalias(), "one_of_them")])
    holds = type(node)(this=node.this, expression=exp.column("one_of_them"))
    condition = exp.Not(this=exp.Is(this=exp.paren(holds), expression=exp.true())) if of_all else holds
    found = exp.Exists(this=exp.select("1").from_(rows.subquery("them")).where(condition))
    return exp.Not(this=found) if of_all else found


def _counted_together(node: exp.Expression, _: Scope) -> exp.Expression:
    """COUNT(DISTINCT a, b) counts the pairs without a NULL, and so do texts in which a NULL leaves nothing."""
    parts = node.this.expressions if isinstance(node.this, exp.Distinct) else []
    if len(parts) < 2:
        return node
    text, separator = parts[0], call("char", 31)
    for part in parts[1:]:
        text = exp.DPipe(this=exp.DPipe(this=text, expression=separator.copy()), expression=part)
    return exp.Count(this=exp.Distinct(expressions=[text]))


def _either(node: exp.Expression, _: Scope) -> exp.Expression:
    return exp.NEQ(this=_truth(node.this), expression=_truth(node.expression))


def _truth(node: exp.Expression) -> exp.Expression:
    return exp.Not(this=exp.paren(exp.Not(this=exp.paren(node))))


_HANDLERS: dict[type[exp.Expression], Handler] = {
    **DATE_HANDLERS,
    **dict.fromkeys((exp.Cast, exp.TryCast), _cast),
    **dict.fromkeys((exp.Max, exp.Min, exp.Sum, exp.Avg), _inner_aggregate),
    exp.Add: _plus,
    exp.Sub: sum_of_dates(-1),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _compared),
    exp.Count: _counted_together,
    exp.WithinGroup: _within_group,
    exp.GroupConcat: _joined_group,
    exp.ArrayAgg: _named("json_group_array"),
    exp.Array: lambda node, _: call("json_array", *node.expressions),
    exp.ApproxDistinct: lambda node, _: exp.Count(this=exp.Distinct(expressions=[node.this])),
    exp.RegexpILike: lambda node, _: call("regexp_i_like", node.this, node.expression),
    exp.National: lambda node, _: exp.Literal.string(node.name),
    exp.Xor: _either,
    exp.Trunc: lambda node, _: call("cut_number", node.this, node.args.get("decimals") or 0),
    exp.Rand: _named("rand"),
    exp.Table: _qualified,
    exp.Column: _qualified_column,
}
_PHRASES: dict[type[exp.Expression], str] = {
    exp.Table: "schema name dropped",
    exp.Column: "schema name dropped",
    exp.Cast: "CAST in SQLite's types",
    exp.TryCast: "CAST in SQLite's types",
    **dict.fromkeys((exp.Max, exp.Min, exp.Sum, exp.Avg), "aggregate of an aggregate read as the inner one"),
    **DATE_PHRASES,
    **dict.fromkeys((exp.Add, exp.Sub), DATE_ARITHMETIC),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), "ALL, ANY, INTERVAL compared in SQLite's way"),
    exp.Count: "COUNT of several columns as one text",
    exp.National: "N'…' as a plain string",
    exp.WithinGroup: "WITHIN GROUP as arguments",
    exp.Array: "ARRAY as JSON",
    exp.ArrayAgg: "ARRAY_AGG as JSON",
}
