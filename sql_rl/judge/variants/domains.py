"""Which values each column draws from, learnt from the declarations, the given rows and the gold.

Columns that meet (by a foreign key, a join, an IN, a set operation) share one domain, so that a literal which the
gold compares with a child's column reaches the parent's key too, and what the gold compares can be equal.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sql_rl.judge.schema import Column, Schema
from sql_rl.judge.variants import values
from sql_rl.judge.variants.checks import column_checks, permits
from sql_rl.judge.variants.demands import Demands, Leaf, Node, Place, Probe, Same, Value, conditions
from sql_rl.judge.variants.given import GIVEN_VALUES, Given
from sql_rl.judge.variants.probes import Condition, Truths, turning_points

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Domain:
    """Values that some columns of one affinity share, as SQLite stores them there.

    common: as in the given data; special: on and beside the gold's boundaries; every: both, no value twice.
    lowest, highest: of the common ones, by which new ones are made. ranked: the gold ranks by it, so values should
    differ, and none be NULL. dated: it holds ISO dates. whole: it meets a column of integers. closed: it holds truth
    values, and nothing else.
    """

    common: tuple[Value, ...]
    special: tuple[Value, ...]
    every: tuple[Value, ...]
    lowest: Value
    highest: Value
    ranked: bool
    dated: bool
    whole: bool
    closed: bool


def build_domains(schema: Schema, given: Given, demands: Demands, truths: Truths) -> dict[Place, Domain]:
    """The domain of every stored column."""
    places = {(t.name.casefold(), c.name.casefold()): c for t in schema.tables for c in t.stored}
    asked: dict[Place, list[Condition]] = defaultdict(list)
    for condition in _all_conditions(demands):
        asked[place_of(demands, condition.node)].append(condition)
    checks = column_checks(schema)
    for place, formulas in checks.items():
        asked[place] += [c for formula in formulas for c in conditions(formula) if isinstance(c, Leaf)]
    ranked = {place_of(demands, node) for node in demands.ranked}
    domains: dict[Place, Domain] = {}
    for group in grouped(places, _meetings(schema, demands)):
        common = _common([(places[place], given.values(place)) for place in group])
        dated = any(map(values.is_date, common))
        turning = [c for place in group for c in asked[place] if _turns(c, dated)]
        leaves = [c for place in group for c in asked[place] if c not in turning]
        special = [value for leaf in leaves for value in values.around(leaf)]
        if turning:
            special += turning_points(turning, leaves, common, places[group[0]].affinity, truths)
        if _is_timed(common):  # a day that ends a range is not over at its beginning, nor is the one before it
            days = [day for leaf in leaves if _is_bare_day(leaf.value) for day in values.around(leaf)[:2]]
            special += [f"{day} 12:00:00" for day in days]
        whole = any(places[place].affinity == "INTEGER" for place in group)
        closed = all(_is_truth_value(places[place]) for place in group)
        if closed:
            said = [leaf.value for leaf in leaves]
            common, special = [v for v in common if v in (0, 1)] or common, [v for v in special if v in (0, 1, *said)]
        if whole:
            special = [value for value in special if not values.is_fraction(value)]
        if len(group) == 1 and not closed:  # it meets no other, so it is free to hold a value that outweighs the rest
            common += values.outlying(common)
        if any(place in checks for place in group):
            formulas = [formula for place in group for formula in checks.get(place, ())]
            permitted = [v for v in (*common, *special) if all(permits(formula, v) for formula in formulas)]
            common, special = permitted or common, []
        for affinity in {places[place].affinity for place in group}:
            domain = _domain(common, special, affinity, not ranked.isdisjoint(group), dated, whole, closed)
            domains |= {place: domain for place in group if places[place].affinity == affinity}
    return domains


def _common(columns: Sequence[tuple[Column, list[Value]]]) -> list[Value]:
    """The given values of columns that meet; if there are none, plain ones in the manner of the first column."""
    common = values.distinct((value for _, given in columns for value in given), 2 * GIVEN_VALUES)
    if common:
        return common
    column = columns[0][0]
    declared = column.declared.casefold()
    if "timestamp" in declared or "datetime" in declared:
        return values.plain("TIMESTAMP", column.name)
    kind = "DATE" if "date" in declared else "TEXT" if column.affinity == "BLOB" else column.affinity
    return values.plain(kind, column.name)


def _domain(
    common: list[Value], special: list[Value], affinity: str, ranked: bool, dated: bool, whole: bool, closed: bool
) -> Domain:
    common = values.distinct((values.coerce(value, affinity) for value in common), len(common))
    special = values.distinct((values.coerce(value, affinity) for value in special), GIVEN_VALUES)
    if affinity == "INTEGER":  # what meets it may be text, or lie between two integers
        common = [value for value in common if isinstance(value, int)] or common
        special = [value for value in special if isinstance(value, int)]
    every = values.distinct((*special, *common), len(special) + len(common))
    alike = [value for value in common if type(value) is type(common[0])]
    return Domain(
        tuple(common),
        tuple(special),
        tuple(every),
        min(alike, key=values.rank),
        max(alike, key=values.rank),
        ranked,
        dated,
        whole,
        closed,
    )


def grouped(items: Iterable[K], pairs: Iterable[tuple[K, K]]) -> list[list[K]]:
    """The items in groups, each the closure of what `pairs` puts together; in the order of the items."""
    leader = {item: item for item in items}

    def find(item: K) -> K:
        while leader[item] != item:
            leader[item] = item = leader[leader[item]]
        return item

    for one, other in pairs:
        leader[find(other)] = find(one)
    groups: dict[K, list[K]] = defaultdict(list)
    for item in leader:
        groups[find(item)].append(item)
    return list(groups.values())


def place_of(demands: Demands, node: Node) -> Place:
    """The stored column that a node of the gold stands for."""
    return demands.tables[node[0]].name.casefold(), node[1]


def _all_conditions(demands: Demands) -> Iterator[Condition]:
    for scope in demands.scopes:
        for formula in (scope.formula, *scope.aside):
            yield from (condition for condition in conditions(formula) if not isinstance(condition, Same))
        yield from scope.bounds


def _turns(condition: Condition, dated: bool) -> bool:
    """Is the boundary to be found by trying? Of dates also that of a pattern, a year, a month."""
    if isinstance(condition, Probe):
        return True
    return dated and condition.op != "null" and not values.is_date(condition.value)


def _is_bare_day(value: Value) -> bool:
    return values.is_date(value) and len(value) == len("2024-01-31")


def _is_timed(common: list[Value]) -> bool:
    """Do its dates have a time of day?"""
    return any(values.is_date(value) and not _is_bare_day(value) for value in common)


def _is_truth_value(column: Column) -> bool:
    return column.declared.casefold() in ("boolean", "bool", "bit", "bit(1)", "tinyint(1)")


def _meetings(schema: Schema, demands: Demands) -> Iterator[tuple[Place, Place]]:
    for table in schema.tables:
        for key in table.foreign_keys:
            parent = schema.table(key.parent)
            for child, column in zip(key.columns, key.parent_columns, strict=True):
                if parent is not None and column.casefold() in parent.position:
                    yield (table.name.casefold(), child.casefold()), (parent.name.casefold(), column.casefold())
    for same in _equalities(demands):
        yield place_of(demands, same.one), place_of(demands, same.other)


def _equalities(demands: Demands) -> Iterator[Same]:
    for scope in demands.scopes:
        yield from (leaf for leaf in conditions(scope.formula) if isinstance(leaf, Same))
    yield from demands.links
