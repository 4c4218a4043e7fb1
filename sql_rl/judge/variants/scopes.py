"""Reads what a gold demands of a database from its syntax tree.

A variant tells near misses apart if its rows lie on and beside every boundary in the gold. What cannot be read here is
left out: it costs a variant strength, never correctness.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from sql_rl.judge.schema import Schema
from sql_rl.judge.variants.demands import (
    ALWAYS,
    Both,
    Demands,
    Either,
    Formula,
    Leaf,
    Node,
    Not,
    Probe,
    Same,
    Scope,
    Value,
    conditions,
    number,
)
from sql_rl.judge.variants.names import Names


def read_demands(gold_tree: exp.Expression, schema: Schema) -> Demands:
    """The demands of a gold in SQLite's dialect. Never fails: what it does not know, it leaves out."""
    return _Reader(_query_of(gold_tree), schema).demands()


def _query_of(tree: exp.Expression) -> exp.Expression:
    """The query for the rows that a DELETE or UPDATE touches and the values it works out; other trees as they are."""
    if not isinstance(tree, exp.Delete | exp.Update) or tree.this is None:
        return tree
    worked_out = [change.expression for change in tree.expressions if isinstance(change, exp.EQ)]
    query = exp.select("*", *worked_out).from_(tree.this)
    where = tree.args.get("where")
    return query.where(where.this) if where else query


_COMPARISONS = {exp.EQ: "=", exp.Is: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.Like: "like"}
_KINDS = {op: kind for kind, op in reversed(_COMPARISONS.items())}  # by the operator
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONDITIONS = (exp.Connector, exp.Not, exp.Between, exp.In, exp.NEQ, *_COMPARISONS)


class _Reader:
    def __init__(self, tree: exp.Expression, schema: Schema) -> None:
        self._tree = tree
        self._names = Names(tree, schema)

    def demands(self) -> Demands:
        scopes = tuple(self._scope(select) for select in self._names.selects)
        mentioned = frozenset(
            node
            for select in self._names.selects
            for column in _own(select, exp.Column)
            if (node := self._names.node(column))
        )
        return Demands(
            tuple(self._names.tables),
            scopes,
            tuple(self._links()),
            frozenset(self._ranked()),
            frozenset(self._singled()),
            mentioned,
        )

    def _scope(self, select: exp.Select) -> Scope:
        conditions = [join.args["on"] for join in select.args.get("joins") or [] if join.args.get("on")]
        if select.args.get("where"):
            conditions.append(select.args["where"].this)
        parts = [*(self._formula(condition) for condition in conditions), *self._using(select)]
        group = select.args.get("group")
        groups = [self._names.node(key) for key in group.expressions if isinstance(key, exp.Column)] if group else []
        sources = tuple(source for source in self._names.sources[id(select)].values() if isinstance(source, int))
        having = select.args.get("having")
        sizes, bounds = self._having(having.this) if having else ((), ())
        outputs = [self._names.first(projection) for projection in select.expressions]
        return Scope(
            sources,
            Both(tuple(parts)),
            tuple(node for node in groups if node),
            tuple(node for node in outputs if node),
            sizes,
            bounds,
            tuple(self._aside(select)),
        )

    def _aside(self, select: exp.Select) -> Iterator[Formula]:
        clauses = [*select.expressions, select.args.get("group"), select.args.get("order")]
        for clause in filter(None, clauses):
            for node in clause.walk(prune=lambda node: isinstance(node, (exp.Query, *_CONDITIONS))):
                if isinstance(node, _CONDITIONS):
                    formula = self._formula(node)
                elif isinstance(node, exp.If) and isinstance(node.parent, exp.Case) and node.parent.this:
                    formula = self._compare("=", node.parent.this, node.this)
                else:
                    continue
                if formula != ALWAYS:
                    yield formula

    def _using(self, select: exp.Select) -> Iterator[Same]:
        for join in select.args.get("joins") or []:
            for name in join.args.get("using") or []:
                nodes = [
                    (source, name.name.casefold())
                    for source in self._names.sources[id(select)].values()
                    if isinstance(source, int) and name.name.casefold() in self._names.tables[source].position
                ]
                yield from (Same(nodes[0], node) for node in nodes[1:])

    def _formula(self, condition: exp.Expression) -> Formula:
        match condition:
            case exp.Paren():
                return self._formula(condition.this)
            case exp.And():
                return Both((self._formula(condition.left), self._formula(condition.right)))
            case exp.Or():
                return Either((self._formula(condition.left), self._formula(condition.right)))
            case exp.Not():
                return Not(self._formula(condition.this))
            case exp.NEQ():
                return Not(self._compare("=", condition.left, condition.right))
            case exp.Between():
                low = self._compare(">=", condition.this, condition.args["low"])
                return Both((low, self._compare("<=", condition.this, condition.args["high"])))
            case exp.In() if condition.expressions:
                return Either(tuple(self._compare("=", condition.this, item) for item in condition.expressions))
            case exp.Binary() if type(condition) in _COMPARISONS:
                return self._compare(_COMPARISONS[type(condition)], condition.left, condition.right)
        return self._probe(condition)

    def _compare(self, op: str, left: exp.Expression, right: exp.Expression) -> Formula:
        if isinstance(right, exp.Null):
            node = self._names.first(left)
            return Leaf(node, "null", None) if node else ALWAYS
        sides = left, right
        value, said = self._literal(right), op
        if value is None and (value := self._literal(left)) is not None:
            left, op = right, _MIRRORED.get(op, op)
        node = self._names.first(left)
        if value is not None and node and isinstance(left.unnest(), exp.Column | exp.Cast):
            return Leaf(node, op, value)
        if op == "=" and isinstance(left, exp.Column) and isinstance(right, exp.Column):
            other = self._names.node(right)
            if node and other:
                return Same(node, other)
        return self._probe(_KINDS[said](this=sides[0].copy(), expression=sides[1].copy()), sides)

    def _probe(self, condition: exp.Expression, parts: Sequence[exp.Expression] = ()) -> Formula:
        """The condition as a Probe, if it speaks of one column alone. parts: where its names can be looked up."""
        parts = parts or (condition,)
        nodes = {self._names.node(column) for part in parts for column in part.find_all(exp.Column)}
        node = nodes.pop() if len(nodes) == 1 else None
        if node is None or condition.find(exp.AggFunc, exp.Query, exp.Window):
            return ALWAYS
        asked = condition.copy().transform(lambda n: exp.column("v") if isinstance(n, exp.Column) else n)
        literals = tuple(
            literal.this if literal.is_string else number(literal.this) for literal in condition.find_all(exp.Literal)
        )
        return Probe(node, asked.sql(dialect="sqlite"), literals)

    def _literal(self, expression: exp.Expression) -> Value:
        """The value of a literal, None if it is none. A quoted name that no column has is a string to SQLite."""
        match expression:
            case exp.Paren() | exp.Cast():
                return self._literal(expression.this)
            case exp.Neg():
                value = self._literal(expression.this)
                return -value if isinstance(value, int | float) else None
            case exp.Boolean():
                return int(expression.this)
            case exp.Literal() if expression.is_string:
                return expression.this
            case exp.Literal():
                return number(expression.this)
            case exp.Column() if expression.this.quoted and not expression.table and not self._names.node(expression):
                return expression.name
        return None

    def _having(self, condition: exp.Expression) -> tuple[tuple[int, ...], tuple[Leaf, ...]]:
        sizes, bounds = [], []
        for comparison in condition.find_all(*_COMPARISONS, exp.NEQ):
            aggregate, value = comparison.left, self._literal(comparison.right)
            if value is None:
                aggregate, value = comparison.right, self._literal(comparison.left)
            if isinstance(aggregate, exp.Count) and isinstance(value, int):
                sizes.append(value)
            elif isinstance(aggregate, exp.AggFunc) and value is not None and (node := self._names.first(aggregate)):
                bounds.append(Leaf(node, aggregate.key, value))
        return tuple(sizes), tuple(bounds)

    def _links(self) -> Iterator[Same]:
        for membership in self._tree.find_all(exp.In):
            query = membership.args.get("query")
            if query is not None:
                yield from self._link(self._names.first(membership.this), query.unnest(), 0)
        for comparison in self._tree.find_all(*_COMPARISONS, exp.NEQ):
            for side, other in ((comparison.left, comparison.right), (comparison.right, comparison.left)):
                if isinstance(other, exp.Subquery):
                    yield from self._link(self._names.first(side), other.unnest(), 0)
        for operation in self._tree.find_all(exp.SetOperation):
            for place in range(len(operation.left.selects)):
                yield from self._link(self._place(operation.left, place), operation.right, place)

    def _link(self, node: Node | None, query: exp.Expression, place: int) -> Iterator[Same]:
        other = self._place(query, place)
        if node and other:
            yield Same(node, other)

    def _place(self, query: exp.Expression, place: int) -> Node | None:
        select = query if isinstance(query, exp.Select) else query.find(exp.Select)
        if select is None or place >= len(select.expressions):
            return None
        return self._names.first(select.expressions[place])

    def _ranked(self) -> Iterator[Node]:
        """Columns that a LIMIT chooses by in the end: a tie or a NULL there may leave the gold open."""
        for query in (*self._names.selects, *self._tree.find_all(exp.SetOperation)):
            if query.args.get("limit") and query.args.get("order"):
                for column in query.args["order"].expressions[-1].find_all(exp.Column):
                    node = self._names.node(column) or self._behind_alias(query, column)
                    if node:
                        yield node

    def _singled(self) -> Iterator[Node]:
        """Columns by which a scalar subquery takes one row: with two of that value the gold would be open."""
        for comparison in self._tree.find_all(*_COMPARISONS, exp.NEQ):
            for side in (comparison.left, comparison.right):
                select = side.unnest() if isinstance(side, exp.Subquery) else None
                if isinstance(select, exp.Select) and select.args.get("where") and not select.args.get("group"):
                    if any(projection.find(exp.AggFunc) for projection in select.expressions):
                        continue
                    for leaf in conditions(self._formula(select.args["where"].this)):
                        if isinstance(leaf, Leaf) and leaf.op == "=":
                            yield leaf.node

    def _behind_alias(self, query: exp.Query, column: exp.Column) -> Node | None:
        named = (p for p in query.selects if p.alias_or_name.casefold() == column.name.casefold())
        return self._names.first(next(named, exp.Null()))


def _own(select: exp.Select, *kinds: type[exp.Expression]) -> Iterator[exp.Expression]:
    """The nodes of these kinds in a SELECT, not in the queries inside it."""
    nodes = select.walk(prune=lambda node: node is not select and isinstance(node, exp.Query))
    return (node for node in nodes if isinstance(node, kinds))
