"""Which stored column a name in the gold means: through aliases, derived tables, common table expressions and views."""

import sqlglot
from sqlglot import exp

from sql_rl.judge.schema import Schema, Table
from sql_rl.judge.variants.demands import Node


class Names:
    """The names of a gold. tables: of each source, by its number. selects: all its SELECTs, those of its views too.

    sources: by identity of a SELECT, what each alias in it stands for: a source, or the query that is taken from.
    """

    def __init__(self, tree: exp.Expression, schema: Schema) -> None:
        self.tables: list[Table] = []
        self.selects: list[exp.Select] = []
        self.sources: dict[int, dict[str, int | exp.Query]] = {}
        self._schema = schema
        self._definitions = {cte.alias.casefold(): cte.this for cte in tree.find_all(exp.CTE)}
        self._resolving: set[tuple[int, str]] = set()  # outputs on their way, since a definition may name itself
        for select in tree.find_all(exp.Select):
            self._enter(select)

    def _enter(self, select: exp.Select) -> None:
        if id(select) in self.sources:
            return
        self.selects.append(select)
        sources = self.sources[id(select)] = {}
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
                    sources[name] = len(self.tables)
                    self.tables.append(table)

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

    def node(self, column: exp.Column) -> Node | None:
        """The stored column that a name in the gold means, through derived tables and outer queries."""
        select = column.find_ancestor(exp.Select)
        while select is not None:
            node = self._in_select(select, column.table.casefold(), column.name.casefold())
            if node is not None:
                return node
            select = select.find_ancestor(exp.Select)
        return None

    def _in_select(self, select: exp.Select, qualifier: str, name: str) -> Node | None:
        for alias, source in self.sources.get(id(select), {}).items():
            if qualifier and alias != qualifier:
                continue
            if isinstance(source, int):
                if name in self.tables[source].position:
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
                    return self.first(projection)
            return None
        finally:
            self._resolving.discard((id(select), name))

    def first(self, expression: exp.Expression) -> Node | None:
        """The column in an expression, if it holds exactly one."""
        columns = list(expression.find_all(exp.Column))
        return self.node(columns[0]) if len(columns) == 1 else None


def _from(select: exp.Select) -> list[exp.Expression]:
    first = select.args.get("from_")
    return ([first.this] if first else []) + [join.this for join in select.args.get("joins") or []]
