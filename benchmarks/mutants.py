"""One-edit mutants of a query: what a model gets wrong. Each operator yields queries that differ in one place.

The operators follow Tuya et al. 2007, "Mutating database queries", with what text-to-SQL models confuse besides
(a column for another of its type, DISTINCT, the table of a subquery).
"""

from collections.abc import Callable, Iterator, Sequence

from sqlglot import exp

from sql_rl.judge.schema import Schema

COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)
SET_OPERATIONS = (exp.Union, exp.Intersect, exp.Except)

Edit = tuple[exp.Expression, exp.Expression]  # a node of the query, what stands there instead
Operator = Callable[[exp.Expression, Schema], Iterator[Edit]]


def mutants(tree: exp.Expression, schema: Schema) -> list[tuple[str, str]]:
    """All one-edit mutants of a query in SQLite's dialect: the operator's name and the text, no text twice."""
    return texts(tree, schema, OPERATORS)


def texts(tree: exp.Expression, schema: Schema, operators: Sequence[Operator]) -> list[tuple[str, str]]:
    """What each operator makes of a query: its name and the text, no text twice and none the query's own."""
    original = tree.sql(dialect="sqlite")
    found: dict[str, str] = {}
    for operator in operators:
        for node, instead in list(operator(tree, schema)):
            text = edited(tree, node, instead).sql(dialect="sqlite")
            if text != original:
                found.setdefault(text, operator.__name__)
    return [(name, text) for text, name in found.items()]


def edited(tree: exp.Expression, node: exp.Expression, instead: exp.Expression) -> exp.Expression:
    """A copy of the tree in which another expression stands in the place of `node`."""
    if node is tree:
        return instead
    copy = tree.copy()
    place = next(twin for original, twin in zip(tree.walk(), copy.walk(), strict=True) if original is node)
    place.replace(instead)
    return copy


def with_args(node: exp.Expression, **args: object) -> exp.Expression:
    """A copy of the node with other arguments."""
    copy = node.copy()
    for name, value in args.items():
        copy.set(name, value)
    return copy


def comparison(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(*COMPARISONS):
        if not isinstance(node.parent, exp.Join):
            for kind in COMPARISONS:
                if not isinstance(node, kind):
                    yield node, kind(this=node.this.copy(), expression=node.expression.copy())


def literal(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Literal):
        if isinstance(node.parent, exp.Limit | exp.Offset):
            continue
        if node.is_string:
            yield node, exp.Literal.string(node.this + "x")
            yield node, exp.Literal.string(node.this[1:])
        elif node.is_int:
            yield node, exp.Literal.number(int(node.this) + 1)
            yield node, exp.Literal.number(max(0, int(node.this) - 1))


def column(tree: exp.Expression, schema: Schema) -> Iterator[Edit]:
    """Another column of the same table and affinity."""
    for node in tree.find_all(exp.Column):
        select = node.find_ancestor(exp.Select)
        for source in select.find_all(exp.Table) if select else ():
            table = schema.table(source.name)
            if table is None or (node.table and source.alias_or_name.casefold() != node.table.casefold()):
                continue
            mine = next((c for c in table.columns if c.name.casefold() == node.name.casefold()), None)
            if mine is None:
                continue
            for other in table.columns:
                if other.affinity == mine.affinity and other.name.casefold() != mine.name.casefold():
                    yield node, with_args(node, this=exp.to_identifier(other.name, quoted=True))


def aggregate(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(*AGGREGATES):
        if isinstance(node.this, exp.Star | exp.Distinct):
            continue
        for kind in AGGREGATES:
            if not isinstance(node, kind):
                yield node, kind(this=node.this.copy())


def distinct(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Select):
        yield node, with_args(node, distinct=None if node.args.get("distinct") else exp.Distinct())
    for node in tree.find_all(exp.Count):
        if isinstance(node.this, exp.Distinct):
            yield node, exp.Count(this=node.this.expressions[0].copy())
        elif not isinstance(node.this, exp.Star):
            yield node, exp.Count(this=exp.Distinct(expressions=[node.this.copy()]))


def direction(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Ordered):
        yield node, exp.Ordered(this=node.this.copy(), desc=not node.args.get("desc"))
    for node in tree.find_all(exp.Select):
        if node.args.get("order") and not node.args.get("limit"):
            yield node, with_args(node, order=None)


def limit(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Limit):
        if node.expression.is_int:
            for bound in (int(node.expression.this) + 1, int(node.expression.this) - 1):
                if bound > 0:
                    yield node, exp.Limit(expression=exp.Literal.number(bound))


def connective(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.And, exp.Or):
        kind = exp.Or if isinstance(node, exp.And) else exp.And
        yield node, exp.Paren(this=kind(this=node.this.copy(), expression=node.expression.copy()))
        yield node, node.this.copy()
        yield node, node.expression.copy()


def join_kind(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Join):
        if node.args.get("on"):
            yield node, with_args(node, side=None if node.side else "LEFT", kind=None)


def where(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Select):
        for clause in ("where", "having"):
            if node.args.get(clause):
                yield node, with_args(node, **{clause: None})


def group(tree: exp.Expression, schema: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.Select):
        keys = node.args.get("group")
        if keys and len(keys.expressions) == 1 and node.args.get("having") is None:
            yield node, with_args(node, group=None)


def set_operation(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(*SET_OPERATIONS):
        for kind in SET_OPERATIONS:
            if not isinstance(node, kind):
                yield node, with_args(kind(), **node.copy().args)
        yield node, node.left.copy()
        if isinstance(node, exp.Union):
            yield node, with_args(node, distinct=not node.args.get("distinct"))


def negation(tree: exp.Expression, _: Schema) -> Iterator[Edit]:
    for node in tree.find_all(exp.In, exp.Like, exp.Between, exp.Exists):
        if isinstance(node.parent, exp.Not):
            yield node.parent, node.copy()
        else:
            yield node, exp.Not(this=node.copy())


def subquery_table(tree: exp.Expression, schema: Schema) -> Iterator[Edit]:
    """Another table that has all the columns which a subquery's single table gives."""
    for select in tree.find_all(exp.Select):
        sources = list(select.find_all(exp.Table))
        if select is tree or len(sources) != 1 or sources[0].alias:
            continue
        needed = {c.name.casefold() for c in select.find_all(exp.Column)}
        for table in schema.tables:
            if table.name.casefold() != sources[0].name.casefold() and needed <= table.position.keys():
                yield sources[0], exp.to_table(table.name)


OPERATORS = (
    comparison, literal, column, aggregate, distinct, direction, limit, connective, join_kind, where, group,
    set_operation, negation, subquery_table,
)  # fmt: skip
