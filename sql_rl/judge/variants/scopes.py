"""Reads what a gold demands of a database from its syntax tree.

A variant tells near misses apart if its rows lie on and beside every boundary in the gold. What cannot be read here is
left out: it costs a variant strength, never correctness.
"""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from sql_rl.judge.schema import Schema, Table
from sql_rl.judge.variants.demands import (
    ALWAYS,
    Both,
    Demands,
    Either,
    Formula,
    Leaf,
    Node,
    Not,
    Same,
    Scope,
    Value,
    number,
)


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
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _Reader:
    def __init__(self, tree: exp.Expression, schema: Schema) -> None:
        self._tree = tree
        self._schema = schema
        self._tables: list[Table] = []
        self._sources: dict[int, dict[str, int | exp.Query]] = {}  # id of a SELECT -> alias -> source or derived table
        self._definitions = {cte.alias.casefold(): cte.this for cte in tree.find_all(exp.CTE)}
        self._selects: list[exp.Select] = []
        self._resolving: set[tuple[int, str]] = set()  # outputs on their way, since a definition may name itself
        for select in tree.find_all(exp.Select):
            self._enter(select)

    def demands(self) -> Demands:
        scopes = tuple(self._scope(select) for select in self._selects)
        mentioned = frozenset(
            node for select in self._selects for column in _own(select, exp.Column) if (node := self._node(column))
        )
        return Demands(tuple(self._tables), scopes, tuple(self._links()), frozenset(self._ranked()), mentioned)

    def _enter(self, select: exp.Select) -> None:
        if id(select) in self._sources:
            return
        self._selects.append(select)
        sources = self._sources[id(select)] = {}
        for source in _from(select):
            name = source.alias_or_name.casefold()
            if isinstance(source, exp.Subquery):
                sources[name] = source.unnest()
            elif isinstance(source, exp.Table):
                definition = None if source.db else self._definition(source.name.casefold())
                table = self._schema.table(source.name)
                if definition is not None:
                    sources[name] = definition
                elif table is not None:
                    sources[name] = len(self._tables)
                    self._tables.append(table)

    def _definition(self, name: str) -> exp.Query | None:
        """The query behind a common table expression or a view."""
        if name not in self._definitions:
            view = next((view for view in self._schema.views if view.name.casefold() == name), None)
            if view is None:
                return None
            try:
                query = sqlglot.parse_one(view.sql, dialect="sqlite").expression
            except sqlglot.errors.SqlglotError:
                return None
            self._definitions[name] = query
            for select in query.find_all(exp.Select) if query else ():
                self._enter(select)
        return self._definitions[name]

    def _node(self, column: exp.Column) -> Node | None:
        """The stored column that a name in the gold means, through derived tables and outer queries."""
        select = column.find_ancestor(exp.Select)
        while select is not None:
            node = self._in_select(select, column.table.casefold(), column.name.casefold())
            if node is not None:
                return node
            select = select.find_ancestor(exp.Select)
        return None

    def _in_select(self, select: exp.Select, qualifier: str, name: str) -> Node | None:
        for alias, source in self._sources.get(id(select), {}).items():
            if qualifier and alias != qualifier:
                continue
            if isinstance(source, int):
                if name in self._tables[source].position:
                    return source, name
            elif (output := self._output(source, name)) is not None:
                return output
        return None

    def _output(self, query: exp.Query, name: str) -> Node | None:
        """The stored column behind an output of a derived table."""
        select = query.find(exp.Select)
        if select is None or (id(select), name) in self._resolving:
            return None
        self._resolving.add((id(select), name))
        try:
            for projection in select.expressions:
                if projection.is_star:
                    return self._in_select(select, "", name)
                if projection.alias_or_name.casefold() == name:
                    return self._first(projection)
            return None
        finally:
            self._resolving.discard((id(select), name))

    def _first(self, expression: exp.Expression) -> Node | None:
        """The column in an expression, if it holds exactly one."""
        columns = list(expression.find_all(exp.Column))
        return self._node(columns[0]) if len(columns) == 1 else None

    def _scope(self, select: exp.Select) -> Scope:
        conditions = [join.args["on"] for join in select.args.get("joins") or [] if join.args.get("on")]
        if select.args.get("where"):
            conditions.append(select.args["where"].this)
        parts = [*(self._formula(condition) for condition in conditions), *self._using(select)]
        group = select.args.get("group")
        groups = [self._node(key) for key in group.expressions if isinstance(key, exp.Column)] if group else []
        sources = tuple(source for source in self._sources[id(select)].values() if isinstance(source, int))
        having = select.args.get("having")
        sizes, bounds = self._having(having.this) if having else ((), ())
        outputs = [self._first(projection) for projection in select.expressions]
        return Scope(
            sources,
            Both(tuple(parts)),
            tuple(node for node in groups if node),
            tuple(node for node in outputs if node),
            sizes,
            bounds,
        )

    def _using(self, select: exp.Select) -> Iterator[Same]:
        for join in select.args.get("joins") or []:
            for name in join.args.get("using") or []:
                nodes = [
                    (source, name.name.casefold())
                    for source in self._sources[id(select)].values()
                    if isinstance(source, int) and name.name.casefold() in self._tables[source].position
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
        return ALWAYS

    def _compare(self, op: str, left: exp.Expression, right: exp.Expression) -> Formula:
        if isinstance(right, exp.Null):
            node = self._first(left)
            return Leaf(node, "null", None) if node else ALWAYS
        value = self._literal(right)
        if value is None and (value := self._literal(left)) is not None:
            left, op = right, _MIRRORED.get(op, op)
        node = self._first(left)
        if value is not None:
            return Leaf(node, op, value) if node and not left.find(exp.AggFunc, exp.Query) else ALWAYS
        if op == "=" and isinstance(left, exp.Column) and isinstance(right, exp.Column):
            other = self._node(right)
            if node and other:
                return Same(node, other)
        return ALWAYS

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
            case exp.Column() if expression.this.quoted and not expression.table and not self._node(expression):
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
            elif isinstance(aggregate, exp.AggFunc) and value is not None and (node := self._first(aggregate)):
                bounds.append(Leaf(node, aggregate.key, value))
        return tuple(sizes), tuple(bounds)

    def _links(self) -> Iterator[Same]:
        for membership in self._tree.find_all(exp.In):
            query = membership.args.get("query")
            if query is not None:
                yield from self._link(self._first(membership.this), query.unnest(), 0)
        for comparison in self._tree.find_all(*_COMPARISONS, exp.NEQ):
            for side, other in ((comparison.left, comparison.right), (comparison.right, comparison.left)):
                if isinstance(other, exp.Subquery):
                    yield from self._link(self._first(side), other.unnest(), 0)
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
        return self._first(select.expressions[place])

    def _ranked(self) -> Iterator[Node]:
        """Columns that a LIMIT chooses by: a tie or a NULL there may leave the gold open."""
        for query in (*self._selects, *self._tree.find_all(exp.SetOperation)):
            if query.args.get("limit") and query.args.get("order"):
                for column in query.args["order"].find_all(exp.Column):
                    node = self._node(column) or self._behind_alias(query, column)
                    if node:
                        yield node

    def _behind_alias(self, query: exp.Query, column: exp.Column) -> Node | None:
        named = (p for p in query.selects if p.alias_or_name.casefold() == column.name.casefold())
        return self._first(next(named, exp.Null()))


def _from(select: exp.Select) -> list[exp.Expression]:
    first = select.args.get("from_")
    return ([first.this] if first else []) + [join.this for join in select.args.get("joins") or []]


def _own(select: exp.Select, *kinds: type[exp.Expression]) -> Iterator[exp.Expression]:
    """The nodes of these kinds in a SELECT, not in the queries inside it."""
    nodes = select.walk(prune=lambda node: node is not select and isinstance(node, exp.Query))
    return (node for node in nodes if isinstance(node, kinds))
