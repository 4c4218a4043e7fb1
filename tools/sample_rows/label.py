"""Labels: the Gretel columns that describe a query, worked out from its syntax tree."""

import sqlglot
from sqlglot import exp

from sql_rl.teachers.narrative.blocks import Role, unfold
from sql_rl.teachers.narrative.changes import change
from sql_rl.teachers.narrative.clauses import Clauses, clauses, limits
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.schema import read_schema
from sql_rl.teachers.narrative.wording import capital, listing, sentence

COMPLEXITIES = {
    "basic SQL": "basic SQL with a simple select statement",
    "aggregation": "aggregation functions (COUNT, SUM, AVG, MIN, MAX, etc.), and HAVING clause",
    "single join": "only one join (specify inner, outer, cross)",
    "multiple_joins": "two or more joins (specify inner, outer, cross)",
    "subqueries": "subqueries, including correlated and nested subqueries",
    "window functions": "window functions (e.g., ROW_NUMBER, LEAD, LAG, RANk, NTILE, PERCENT_RANK, etc.) with "
    "partitioning and ordering",
    "set operations": "set operations (UNION, INTERSECT, EXCEPT) over the results of several queries",
    "CTEs": "common table expressions, including recursive ones",
}
TASKS = {
    "analytics and reporting": "generating reports, dashboards, and analytical insights",
    "data retrieval": "basic data fetching queries",
    "data manipulation": "inserting, updating, or deleting records",
    "data definition": "creating, altering, or dropping tables and other database objects",
}


_NAMED = {Role.MAIN: "The query", Role.CTE: "The CTE {}", Role.DERIVED: "The derived table {}"}


def complexity(tree: exp.Expression) -> str:
    """The hardest thing in a query, by Gretel's names."""
    if tree.find(exp.Window):
        return "window functions"
    if tree.find(exp.With):
        return "CTEs"
    if tree.find(exp.SetOperation):
        return "set operations"
    queries = len(list(tree.find_all(exp.Select)))
    if queries > (1 if isinstance(tree, exp.Select | exp.Create | exp.Insert) else 0):
        return "subqueries"
    joins = len(list(tree.find_all(exp.Join)))
    if joins:
        return "single join" if joins == 1 else "multiple_joins"
    return "aggregation" if tree.find(exp.AggFunc, exp.Group) else "basic SQL"


def task(tree: exp.Expression) -> str:
    """What a query is for, by Gretel's names."""
    if isinstance(tree, exp.Insert | exp.Update | exp.Delete):
        return "data manipulation"
    if not isinstance(tree, exp.Query):
        return "data definition"
    return "analytics and reporting" if tree.find(exp.AggFunc, exp.Window, exp.Group) else "data retrieval"


def explanation(query: str, context: str, dialect: str) -> str:
    """What a query does, in a sentence for each of its parts."""
    tree = sqlglot.parse_one(query, read=dialect)
    unfolded = unfold(tree)
    phrases, schema = Phrases(dialect, unfolded.labels), read_schema(context)
    sentences = []
    for block in unfolded.blocks:
        if isinstance(block.node, exp.Select):
            text = _select(clauses(block.node, phrases, schema))
        elif isinstance(block.node, exp.SetOperation):
            text = _set_operation(block.node, phrases)
        else:
            sentences += [sentence(text) for text in change(block.node, phrases)]
            continue
        who = _NAMED[block.role].format(block.label) if block.role in _NAMED else capital(block.label)
        sentences.append(sentence(f"{who} {text}"))
    return " ".join(sentences)


def _select(c: Clauses) -> str:
    parts = []
    if c.joins:
        parts.append(f"joins {listing([c.source, *(join.source for join in c.joins)])}")
    elif c.source:
        parts.append(f"reads {c.source}")
    if c.filters:
        parts.append(f"keeps the rows where {listing(c.filters)}")
    if c.groups:
        parts.append(f"groups them by {listing(c.groups)}")
    if c.having:
        parts.append(f"keeps the groups where {listing(c.having)}")
    shown = "every column" if c.outputs == ("*",) else listing(c.outputs)
    parts.append(f"returns {'the distinct values of ' if c.distinct else ''}{shown}")
    return listing([*parts, *_ordering(c.order, c.limit, c.offset)])


def _set_operation(node: exp.SetOperation, phrases: Phrases) -> str:
    operator = node.key.upper() + ("" if node.args.get("distinct") else " ALL")
    combined = f"combines {phrases.source(node.this)} and {phrases.source(node.expression)} with {operator}"
    return listing([combined, *_ordering(*limits(node, phrases))])


def _ordering(order: str, limit: str, offset: str) -> list[str]:
    skipped = f" after the first {offset}" if offset else ""
    cut = f"keeps {limit} row{'' if limit == '1' else 's'}{skipped}" if limit else ""
    return [part for part in (f"sorts by {order}" if order else "", cut) if part]
