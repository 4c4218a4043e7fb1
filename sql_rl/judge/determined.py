"""Is the gold's answer determined on a database, or would another SQLite, or another day, give another?

A query leaves its answer open where it cuts a tie at a LIMIT, sorts NULLs where a LIMIT cuts (their place differs
between databases), shows a bare column of a group, takes a scalar from a subquery of several rows, or concatenates in
no order. `rivals` rewrites the gold so that each open choice is made at one end, and again at the other. If a rival
gives another answer, the gold's is an accident of this database, and a prediction may not be refused for it.
Sources: SQLite's lang_select.html (bare columns, 2.5; ORDER BY, 4; LIMIT, 5) and lang_expr.html (subqueries, 11).
"""

from collections.abc import Callable

from sqlglot import exp

from sql_rl.judge.compare import Result, same_multiset
from sql_rl.judge.schema import Schema


def rivals(gold_tree: exp.Expression, schema: Schema) -> tuple[str, ...]:
    """SQLite texts that answer as the gold does wherever the gold's answer is determined; none if it always is.

    gold_tree: a query in SQLite's dialect, left as it is.
    """
    texts = []
    for high in (False, True):
        tree = gold_tree.copy()
        opened = [_settle(query, schema, high) for query in list(tree.find_all(exp.Query))]
        if any(opened):
            texts.append(tree.sql(dialect="sqlite"))
    return tuple(texts)


def depends_on_scan(gold_tree: exp.Expression) -> bool:
    """Does it hold what may follow the order of a table scan, and no rewriting settles?"""
    return any(_has_extreme_with_bare_column(select) for select in gold_tree.find_all(exp.Select)) or bool(
        gold_tree.find(exp.GroupConcat, exp.RowNumber, exp.ArrayAgg, exp.Limit)
    )


def is_determined(gold: Result, texts: tuple[str, ...], run: Callable[[str], Result | None]) -> bool:
    """Does every rival give the gold's rows? run: a text's result on the database, None if it fails there."""
    for text in texts:
        rival = run(text)
        if rival is not None and not same_multiset(gold.rows, rival.rows):
            return False
    return True


def _settle(query: exp.Query, schema: Schema, high: bool) -> bool:
    """Make the open choices of one query, not of those inside it, at one end. Was there any?"""
    opened = False
    if isinstance(query, exp.Select):
        opened = _settle_bare_columns(query, high)
    if _is_scalar(query) and not query.args.get("limit") and not _is_one_row(query):
        query.set("limit", exp.Limit(expression=exp.Literal.number(1)))
    if isinstance(query, exp.Select | exp.SetOperation) and query.args.get("limit"):
        opened |= _settle_ties(query, schema, high)
    return opened


def _settle_ties(query: exp.Query, schema: Schema, high: bool) -> bool:
    """Sort by all columns after the sort keys, and NULL keys first or last."""
    width = _width(query, schema)
    if width is None:
        return False
    order = query.args.get("order") or exp.Order(expressions=[])
    for ordered in order.expressions:
        ordered.set("nulls_first", high)
    for place in range(1, width + 1):
        order.append("expressions", exp.Ordered(this=exp.Literal.number(place), desc=high, nulls_first=not high))
    query.set("order", order)
    return True


def _width(query: exp.Query, schema: Schema) -> int | None:
    """How many columns a query returns, None where a star stands for an unknown number."""
    if isinstance(query, exp.SetOperation):
        return _width(query.left, schema)
    if not isinstance(query, exp.Select):
        return None
    width = 0
    for projection in query.expressions:
        if not projection.is_star:
            width += 1
            continue
        qualifier = projection.table if isinstance(projection, exp.Column) else ""
        for source in _sources(query):
            if qualifier and source.alias_or_name.casefold() != qualifier.casefold():
                continue
            table = schema.table(source.name) if isinstance(source, exp.Table) else None
            if table is None:
                return None
            width += len(table.columns)
    return width


def _sources(select: exp.Select) -> list[exp.Expression]:
    first = select.args.get("from_")
    joins = select.args.get("joins") or []
    return ([first.this] if first else []) + [join.this for join in joins]


def _settle_bare_columns(select: exp.Select, high: bool) -> bool:
    """Wrap the bare columns of a group in MIN or MAX: of one value, where they are determined."""
    if _has_extreme(select):  # then SQLite takes bare columns from the row of the MIN or MAX
        return False
    end = exp.Max if high else exp.Min
    bare = _bare_columns(select)
    for column in bare:
        column.replace(end(this=column.copy()))
    return bool(bare)


def _bare_columns(select: exp.Select) -> list[exp.Column]:
    group = select.args.get("group")
    shown = [node for projection in select.expressions for node in _own_nodes(projection)]
    if not group and not any(isinstance(node, exp.AggFunc) for node in shown):
        return []
    if any(isinstance(node, exp.Window) for node in shown):
        return []
    keys = list(group.expressions) if group else []
    positions = {int(key.this) - 1 for key in keys if isinstance(key, exp.Literal) and key.is_int}
    names = {key.name.casefold() for key in keys if isinstance(key, exp.Column)}
    aliases = {p.alias.casefold() for p in select.expressions if isinstance(p, exp.Alias)}
    places = [
        projection
        for place, projection in enumerate(select.expressions)
        if place not in positions and projection.alias.casefold() not in names and projection.unalias() not in keys
    ]
    places += [select.args[clause] for clause in ("having", "order") if select.args.get(clause)]
    return [
        node
        for place in places
        for node in _own_nodes(place, into_aggregates=False)
        if isinstance(node, exp.Column)
        and not isinstance(node.this, exp.Star)
        and node not in keys
        and (node.table or node.name.casefold() not in aliases)
    ]


def _own_nodes(root: exp.Expression, into_aggregates: bool = True) -> list[exp.Expression]:
    """The nodes of an expression, without those of queries inside it, nor of its aggregates' arguments."""

    def prune(node: exp.Expression) -> bool:
        return isinstance(node, exp.Query) or (not into_aggregates and isinstance(node, exp.AggFunc))

    return [node for node in root.walk(prune=prune) if not isinstance(node, exp.Query)]


def _has_extreme(select: exp.Select) -> bool:
    clauses = [*select.expressions, select.args.get("having"), select.args.get("order")]
    return any(isinstance(node, exp.Min | exp.Max) for clause in clauses if clause for node in _own_nodes(clause))


def _has_extreme_with_bare_column(select: exp.Select) -> bool:
    return _has_extreme(select) and bool(_bare_columns(select))


def _is_scalar(query: exp.Query) -> bool:
    """Does the query stand in parentheses where a single value is wanted?"""
    wrapper = query.parent
    if isinstance(query, exp.Subquery) or not isinstance(wrapper, exp.Subquery):
        return False
    rows_wanted = exp.From | exp.Join | exp.In | exp.Exists | exp.SetOperation | exp.Subquery | exp.CTE
    return wrapper.parent is not None and not isinstance(wrapper.parent, rows_wanted)


def _is_one_row(query: exp.Query) -> bool:
    """Is it an aggregate over one group?"""
    return (
        isinstance(query, exp.Select)
        and not query.args.get("group")
        and any(isinstance(node, exp.AggFunc) for p in query.expressions for node in _own_nodes(p))
    )
