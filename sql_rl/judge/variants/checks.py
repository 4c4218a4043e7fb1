"""What CHECK conditions permit in a column, as far as they speak of that column alone.

A CHECK is read as if it were the WHERE of a query on its table. What cannot be read counts as unknown and forbids
nothing; as in SQL, a CHECK is kept unless it is false, so NULL keeps any.
"""

import sqlglot
from sqlglot import exp

from sql_rl.judge.schema import Schema
from sql_rl.judge.variants import values
from sql_rl.judge.variants.demands import Both, Either, Formula, Leaf, Not, Place, Same, Value, conditions
from sql_rl.judge.variants.scopes import read_demands


def column_checks(schema: Schema) -> dict[Place, list[Formula]]:
    """The CHECK conditions on single columns, by column."""
    found: dict[Place, list[Formula]] = {}
    for table in schema.tables:
        for check in table.checks:
            query = exp.select("*").from_(exp.to_table(table.name, quoted=True))
            demands = read_demands(query.where(sqlglot.parse_one(check, dialect="sqlite")), schema)
            for scope in demands.scopes:
                leaves = list(conditions(scope.formula))
                columns = {leaf.node[1] for leaf in leaves if isinstance(leaf, Leaf)}
                if len(columns) == 1 and not any(isinstance(leaf, Same) for leaf in leaves):
                    found.setdefault((table.name.casefold(), columns.pop()), []).append(scope.formula)
    return found


def permits(formula: Formula, value: Value) -> bool:
    """May a column hold the value under this condition?"""
    return value is None or _truth(formula, value) is not False


def _truth(formula: Formula, value: Value) -> bool | None:
    """SQL's three-valued logic; None is unknown."""
    match formula:
        case Leaf():
            return values.holds(formula, value)
        case Not(part):
            truth = _truth(part, value)
            return None if truth is None else not truth
        case Both(parts) | Either(parts):
            decisive = isinstance(formula, Either)
            truths = [_truth(part, value) for part in parts]
            if decisive in truths:
                return decisive
            return None if None in truths or not parts else not decisive
    return None
