"""Meaning-preserving rewrites of a query: what a model writes otherwise than the gold, and just as right.

Each holds on every database that keeps its declared keys. Those that only hold where a query's answer is determined
(another join order shows another row of a tie) are right too: the judge must not refuse them for it.
"""

from collections.abc import Iterator

from mutants import COMPARISONS, Edit, texts, with_args
from sqlglot import exp

from sql_rl.judge.schema import Schema, Table

MIRRORED = {exp.EQ: exp.EQ, exp.NEQ: exp.NEQ, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.GTE: exp.LTE}
OPPOSITE = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.LT: exp.GTE, exp.LTE: exp.GT, exp.GT: exp.LTE, exp.GTE: exp.LT}


def rewrites(tree: exp.Expression, schema: Schema) -> list[tuple[str, str]]:
    """All single rewrites of a query in SQLite's dialect: the rule's name and the text, no text twice."""
    return texts(tree, schema, RULES)


def comparisons(tree: exp.Expression) -> Iterator[exp.Binary]:
    return tree.find_all(*COMPARISONS)


def flipped_operands(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in comparisons(tree):
        yield node, MIRRORED[type(node)](this=node.right.copy(), expression=node.left.copy())


def negated_opposite(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    """x > 5 as NOT x <= 5: NULL stays NULL under NOT."""
    for node in comparisons(tree):
        if not isinstance(node.parent, exp.Join):
            opposite = OPPOSITE[type(node)](this=node.left.copy(), expression=node.right.copy())
            yield node, exp.Not(this=exp.Paren(this=opposite))


def swapped_parts(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.And, exp.Or):
        if not isinstance(node.parent, exp.And | exp.Or) and not isinstance(node.left, exp.And | exp.Or):
            yield node, type(node)(this=node.right.copy(), expression=node.left.copy())


def parenthesised(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Where):
        yield node, exp.Where(this=exp.Paren(this=exp.Paren(this=node.this.copy())))


def always_true(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Where):
        one = exp.EQ(this=exp.Literal.number(1), expression=exp.Literal.number(1))
        yield node, exp.Where(this=exp.And(this=one, expression=exp.Paren(this=node.this.copy())))


def between_as_bounds(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Between):
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        yield node, exp.Paren(this=exp.And(this=low, expression=high))


def either_as_in(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Or):
        sides = [node.left, node.right]
        if all(isinstance(s, exp.EQ) and isinstance(s.right, exp.Literal) for s in sides) and (
            sides[0].left == sides[1].left
        ):
            yield node, exp.In(this=sides[0].left.copy(), expressions=[side.right.copy() for side in sides])


def equal_as_in(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.EQ):
        if isinstance(node.left, exp.Column) and isinstance(node.right, exp.Literal):
            yield node, exp.In(this=node.left.copy(), expressions=[node.right.copy()])


def other_join_order(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Select):
        joins = node.args.get("joins") or []
        if len(joins) == 1 and joins[0].args.get("on") and not joins[0].side and not node.is_star:
            first, second = node.args["from_"].this, joins[0].this
            yield (
                node,
                with_args(node, from_=exp.From(this=second.copy()), joins=[with_args(joins[0], this=first.copy())]),
            )


def join_condition_in_where(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Select):
        joins = node.args.get("joins") or []
        if joins and all(join.args.get("on") and not join.side for join in joins):
            conditions = [join.args["on"].copy() for join in joins]
            if node.args.get("where"):
                conditions.append(node.args["where"].this.copy())
            bare = [exp.Join(this=join.this.copy()) for join in joins]
            yield node, with_args(node, joins=bare, where=exp.Where(this=exp.and_(*conditions)))


def other_aliases(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    names = {alias.name.casefold() for alias in tree.find_all(exp.TableAlias) if alias.name}
    if names:
        copy = tree.copy()
        for node in copy.find_all(exp.Identifier):
            names_table = isinstance(node.parent, exp.TableAlias) or node.arg_key == "table"
            if names_table and node.name.casefold() in names:
                node.set("this", f"other_{node.name}")
        yield tree, copy


def wrapped(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    if not tree.args.get("order"):
        star = exp.select("*")
        yield tree, star.from_(exp.Subquery(this=tree.copy(), alias=exp.TableAlias(this=exp.to_identifier("s"))))


def as_common_table(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    if not tree.args.get("order") and not tree.args.get("with_"):
        yield tree, exp.select("*").from_("answer").with_("answer", as_=tree.copy())


def sorted_though_not_asked(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    if not tree.args.get("order") and not tree.args.get("limit"):
        first = exp.Ordered(this=exp.Literal.number(1), desc=True, nulls_first=False)
        yield tree, with_args(tree, order=exp.Order(expressions=[first]))


def ties_broken(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    order = tree.args.get("order")
    if order and not tree.args.get("limit"):
        first = exp.Ordered(this=exp.Literal.number(1), desc=True, nulls_first=False)
        yield order, exp.Order(expressions=[*(key.copy() for key in order.expressions), first])


def columns_swapped(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    """A choice, and the default: the columns may stand in any order."""
    by_position = any(key.this.is_int for key in tree.find_all(exp.Ordered))
    if isinstance(tree, exp.Select) and len(tree.expressions) > 1 and not by_position:
        yield tree, with_args(tree, expressions=[column.copy() for column in reversed(tree.expressions)])


def swapped_operands(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Union, exp.Intersect):
        plain = isinstance(node.left, exp.Select) and isinstance(node.right, exp.Select)
        if plain and not node.args.get("order") and not node.args.get("limit"):
            yield node, with_args(node, this=node.right.copy(), expression=node.left.copy())


def distinct_as_group(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Select):
        columns = node.expressions
        plain = all(isinstance(column, exp.Column) and not column.is_star for column in columns)
        if plain and node.args.get("distinct") and not node.args.get("group") and not node.args.get("order"):
            keys = exp.Group(expressions=[column.copy() for column in columns])
            yield node, with_args(node, distinct=None, group=keys)


def average_as_quotient(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    """AVG(x) as SUM(x) * 1.0 / COUNT(x), which may differ in the last bit."""
    for node in tree.find_all(exp.Avg):
        if not isinstance(node.this, exp.Distinct):
            total = exp.Mul(this=exp.Sum(this=node.this.copy()), expression=exp.Literal.number("1.0"))
            yield node, exp.Paren(this=exp.Div(this=total, expression=exp.Count(this=node.this.copy())))


def count_of_key(tree: exp.Expression, schema: Schema) -> Iterator[Edit]:
    """COUNT(*) as the count of a primary key, where no outer join makes it NULL."""
    for node in tree.find_all(exp.Count):
        select = node.find_ancestor(exp.Select)
        if not isinstance(node.this, exp.Star) or any(join.side for join in select.args.get("joins") or []):
            continue
        source = select.args["from_"].this
        key = primary_key(schema.table(source.name)) if isinstance(source, exp.Table) else None
        if key:
            yield node, exp.Count(this=exp.column(key, table=source.alias_or_name, quoted=True))


def not_in_as_not_exists(tree: exp.Expression, schema: Schema) -> Iterator[Edit]:
    """Only where both columns are keys, or declared NOT NULL: NULLs tell the two apart."""
    for node in tree.find_all(exp.In):
        query = node.args.get("query")
        inner = query.unnest() if query is not None else None
        if not isinstance(node.parent, exp.Not) or not isinstance(inner, exp.Select):
            continue
        outer_source = node.find_ancestor(exp.Select).args["from_"].this
        inner_source = inner.args["from_"].this
        if any(inner.args.get(clause) for clause in ("joins", "group", "distinct", "limit")):
            continue
        if not isinstance(outer_source, exp.Table) or not isinstance(inner_source, exp.Table):
            continue
        if node.find_ancestor(exp.Select).args.get("joins") or inner_source.name == outer_source.name:
            continue
        one, other = schema.table(outer_source.name), schema.table(inner_source.name)
        column = inner.expressions[0]
        if not never_null(one, node.this.name) or not never_null(other, column.name):
            continue
        outside = exp.column(node.this.name, table=outer_source.alias_or_name)
        inside = exp.column(column.name, table=inner_source.alias_or_name)
        same = exp.EQ(this=inside, expression=outside)
        where = inner.args.get("where")
        condition = exp.and_(where.this.copy(), same) if where else same
        yield node, exp.Exists(this=with_args(inner, where=exp.Where(this=condition)))


def primary_key(table: Table | None) -> str | None:
    """The single column of a table's primary key."""
    keys = [key.columns for key in table.keys if key.primary] if table else []
    return keys[0][0] if keys and len(keys[0]) == 1 else None


def never_null(table: Table | None, column: str) -> bool:
    found = [c for c in table.columns if c.name.casefold() == column.casefold()] if table else []
    return any(c.not_null or c.name == primary_key(table) for c in found)


RULES = (
    flipped_operands, negated_opposite, swapped_parts, parenthesised, always_true, between_as_bounds, either_as_in,
    equal_as_in, other_join_order, join_condition_in_where, other_aliases, wrapped, as_common_table,
    sorted_though_not_asked, ties_broken, columns_swapped, swapped_operands, distinct_as_group, average_as_quotient,
    count_of_key, not_in_as_not_exists,
)  # fmt: skip
