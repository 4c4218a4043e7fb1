"""Spider's hardness of a query, from its syntax: easy, medium, hard or extra.

The rule of Spider's evaluator (Yu et al. 2018, "Spider: A Large-Scale Human-Labeled Dataset for Complex and
Cross-Domain Semantic Parsing and Text-to-SQL Task"), counted on sqlglot's tree. Its oddities are kept: aggregates in
HAVING do not count, a negation in WHERE counts as one, of a set operation only the first query is looked at, a
subquery in FROM is not nesting.
"""

import sqlglot
from sqlglot import exp

_SIDES = (exp.Or, exp.And)


def hardness(sql: str) -> str:
    """The level; '' for what is no single query, or cannot be parsed as SQLite."""
    try:
        tree = sqlglot.parse_one(sql, dialect="sqlite")
    except sqlglot.errors.SqlglotError:
        return ""
    set_operations = 0
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        set_operations += isinstance(tree, exp.SetOperation)
        tree = tree.this
    if not isinstance(tree, exp.Select):
        return ""
    return _level(_parts(tree), _nested(tree) + bool(set_operations), _others(tree))


def _level(parts: int, nested: int, others: int) -> str:
    if nested == 0 and parts <= 1 and others == 0:
        return "easy"
    if nested == 0 and ((parts <= 1 and others <= 2) or (parts <= 2 and others < 2)):
        return "medium"
    if nested == 0 and ((parts <= 2 and others > 2) or (parts == 3 and others <= 2)):
        return "hard"
    return "hard" if nested <= 1 and parts <= 1 and others == 0 else "extra"


def _conditions(select: exp.Select, *clauses: str) -> list[exp.Expression]:
    """The single conditions of WHERE, HAVING and ON, their ANDs and ORs taken apart."""
    places = [select.args[clause].this for clause in clauses if select.args.get(clause)]
    if "on" in clauses:
        places += [join.args["on"] for join in select.args.get("joins") or () if join.args.get("on")]
    found = []
    while places:
        place = places.pop(0)
        if isinstance(place, _SIDES):
            places[:0] = [place.left, place.right]
        elif isinstance(place, exp.Paren) and isinstance(place.this, _SIDES):
            places.insert(0, place.this)
        else:
            found.append(place)
    return found


def _parts(select: exp.Select) -> int:
    """WHERE, GROUP BY, ORDER BY, LIMIT, each join, each OR, each LIKE."""
    clauses = sum(bool(select.args.get(clause)) for clause in ("where", "group", "order", "limit"))
    joins = len(select.args.get("joins") or ())
    conditions = _conditions(select, "where", "having", "on")
    likes = sum(isinstance(_positive(condition), exp.Like) for condition in conditions)
    return clauses + joins + _ors(select) + likes


def _ors(select: exp.Select) -> int:
    places = [select.args.get("where"), select.args.get("having")]
    places += [join.args.get("on") for join in select.args.get("joins") or ()]
    return sum(node.parent_select is select for place in places if place for node in place.find_all(exp.Or))


def _nested(select: exp.Select) -> int:
    """Conditions with a query on their right."""
    conditions = _conditions(select, "where", "having", "on")
    return sum(condition.find(exp.Select) is not None for condition in conditions)


def _others(select: exp.Select) -> int:
    """More than one aggregate, result column, condition of WHERE, or grouping column: one each."""
    conditions = _conditions(select, "where")
    groups = select.args["group"].expressions if select.args.get("group") else []
    sorted_by = [key.this for key in select.args["order"].expressions] if select.args.get("order") else []
    aggregates = sum(isinstance(e.unalias(), exp.AggFunc) for e in select.expressions)
    aggregates += sum(isinstance(key, exp.AggFunc) for key in sorted_by)
    aggregates += sum(isinstance(condition, exp.Not) for condition in conditions)
    return sum((aggregates > 1, len(select.expressions) > 1, len(conditions) > 1, len(groups) > 1))


def _positive(condition: exp.Expression) -> exp.Expression:
    return condition.this if isinstance(condition, exp.Not) else condition
