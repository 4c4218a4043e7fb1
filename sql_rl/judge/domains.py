"""Which values each column draws from, learnt from the declarations, the given rows and the gold.

Columns that meet (by a foreign key, a join, an IN, a set operation) share one domain, so that a literal which the
gold compares with a child's column reaches the parent's key too, and what the gold compares can be equal.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sql_rl.judge import values
from sql_rl.judge.checks import column_checks, permits
from sql_rl.judge.demands import Demands, Leaf, Node, Place, Same, Value, conditions
from sql_rl.judge.schema import Column, ForeignKey, Schema, Table

GIVEN_VALUES = 32  # different given values kept for a column
GIVEN_ROWS = 256  # given rows looked at for a table
FEW_ROWS = 3  # fewer given rows tell nothing of what a column may hold

Rows = Mapping[str, Sequence[tuple[Value, ...]]]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Domain:
    """Values that some columns of one affinity share, as SQLite stores them there.

    common: as in the given data; special: on and beside the gold's boundaries; every: both, no value twice.
    lowest, highest: of the common ones, by which new ones are made. ranked: the gold ranks by it, so values should
    differ, and none be NULL. dated: it holds ISO dates. whole: it meets a column of integers.
    """

    common: tuple[Value, ...]
    special: tuple[Value, ...]
    every: tuple[Value, ...]
    lowest: Value
    highest: Value
    ranked: bool
    dated: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns of a table that refer to columns of the table `parent` (folded name); places are in `Table.stored`.

    ahead: the parent is filled no earlier than the child, since references run in a circle.
    """

    places: tuple[int, ...]
    parent: str
    parent_places: tuple[int, ...]
    ahead: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A table to be filled. domains, nullable: of each stored column. keys: places of the columns of unique keys.

    many: the columns that many different values suit, since the gold ranks by them or they complete a key.
    rowid: the place of the INTEGER PRIMARY KEY, which holds nothing but integers.

    references: declared foreign keys that can be followed, and those that the gold's joins imply. asked: the gold
    reads this table.
    """

    table: Table
    name: str
    domains: tuple[Domain, ...]
    nullable: tuple[bool, ...]
    many: tuple[bool, ...]
    rowid: int | None
    keys: tuple[tuple[int, ...], ...]
    references: tuple[Reference, ...]
    asked: bool


@dataclass(frozen=True, slots=True)
class World:
    """All that a variant is drawn from. plans: by folded table name, parents before children as far as can be.

    nodes: the columns that the gold names, by source.
    """

    demands: Demands
    plans: Mapping[str, Plan]
    nodes: Mapping[int, tuple[Node, ...]]


def build_world(schema: Schema, given: Rows, demands: Demands) -> World:
    """The world of an example. given: its rows by table, each a tuple over `Table.stored`."""
    rows = {name.casefold(): _sample(table_rows) for name, table_rows in given.items()}
    domains = _domains(schema, rows, demands)
    references = _references(schema, demands)
    asked = {table.name for table in demands.tables}
    plans: dict[str, Plan] = {}
    for table in _parents_first(schema, references):
        name = table.name.casefold()
        keys = tuple(_places(table, key.columns) for key in table.keys if not key.partial)
        keys = tuple(key for key in keys if None not in key)
        keyed = {place for key in keys for place in key}
        own = tuple(domains[name, column.name.casefold()] for column in table.stored)
        nullable = tuple(
            not (column.not_null or domain.ranked or place in keyed) and _may_be_null(rows.get(name, ()), place)
            for place, (column, domain) in enumerate(zip(table.stored, own, strict=True))
        )
        found = tuple(
            Reference(
                _places(table, key.columns),
                key.parent.casefold(),
                _places(schema.table(key.parent), key.parent_columns),
                key.parent.casefold() not in plans,
            )
            for key in references.get(name, ())
        )
        referring = {place for reference in found for place in reference.places}
        many = tuple(domain.ranked or (place in keyed and place not in referring) for place, domain in enumerate(own))
        rowid = next((c for c in keyed if (c,) in keys and table.stored[c].declared.upper() == "INTEGER"), None)
        plans[name] = Plan(table, name, own, nullable, many, rowid, keys, found, table.name in asked)
    nodes = {
        number: tuple(n for n in sorted(demands.mentioned) if n[0] == number) for number in range(len(demands.tables))
    }
    return World(demands, plans, nodes)


def _places(table: Table, columns: Sequence[str]) -> tuple[int | None, ...]:
    return tuple(table.position.get(column.casefold()) for column in columns)


def _domains(schema: Schema, rows: Rows, demands: Demands) -> dict[Place, Domain]:
    """The domain of every stored column."""
    places = {(t.name.casefold(), c.name.casefold()): c for t in schema.tables for c in t.stored}
    leaves: dict[Place, list[Leaf]] = defaultdict(list)
    for leaf in _all_leaves(demands):
        leaves[_place(demands, leaf.node)].append(leaf)
    checks = column_checks(schema)
    for place, formulas in checks.items():
        leaves[place] += [leaf for formula in formulas for leaf in conditions(formula)]
    ranked = {_place(demands, node) for node in demands.ranked}
    domains: dict[Place, Domain] = {}
    for group in grouped(places, _meetings(schema, demands)):
        common = _common([(places[place], _column(schema, rows, place)) for place in group])
        dated = any(map(values.is_date, common))
        special = [value for place in group for leaf in leaves[place] for value in values.around(leaf, dated)]
        whole = any(places[place].affinity == "INTEGER" for place in group)
        if whole:
            special = [value for value in special if not values.is_fraction(value)]
        if any(place in checks for place in group):
            formulas = [formula for place in group for formula in checks.get(place, ())]
            permitted = [v for v in (*common, *special) if all(permits(formula, v) for formula in formulas)]
            common, special = permitted or common, []
        for affinity in {places[place].affinity for place in group}:
            domain = _domain(common, special, affinity, not ranked.isdisjoint(group), dated, whole)
            domains |= {place: domain for place in group if places[place].affinity == affinity}
    return domains


def _common(columns: Sequence[tuple[Column, list[Value]]]) -> list[Value]:
    """The given values of columns that meet; if there are none, plain ones in the manner of the first column."""
    common = values.distinct((value for _, given in columns for value in given), 2 * GIVEN_VALUES)
    if common:
        return common
    column = columns[0][0]
    dated = any(word in column.declared.casefold() for word in ("date", "timestamp"))
    return values.plain("DATE" if dated else "TEXT" if column.affinity == "BLOB" else column.affinity, column.name)


def _domain(common: list[Value], special: list[Value], affinity: str, ranked: bool, dated: bool, whole: bool) -> Domain:
    if affinity == "INTEGER":  # what meets it may be text, or lie between two integers
        common = [value for value in common if isinstance(values.coerce(value, affinity), int)] or common
        special = [value for value in special if isinstance(values.coerce(value, affinity), int)]
    common = values.distinct((values.coerce(value, affinity) for value in common), len(common))
    special = values.distinct((values.coerce(value, affinity) for value in special), GIVEN_VALUES)
    every = values.distinct((*special, *common), len(special) + len(common))
    alike = [value for value in common if type(value) is type(common[0])]
    return Domain(tuple(common), tuple(special), tuple(every), min(alike), max(alike), ranked, dated, whole)


def _column(schema: Schema, rows: Rows, place: Place) -> list[Value]:
    """Different given values of a column."""
    position = schema.table(place[0]).position[place[1]]
    return values.distinct((row[position] for row in rows.get(place[0], ())), GIVEN_VALUES)


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


def _sample(rows: Sequence[tuple[Value, ...]]) -> Sequence[tuple[Value, ...]]:
    return rows if len(rows) <= GIVEN_ROWS else rows[:: len(rows) // GIVEN_ROWS + 1]


def _may_be_null(rows: Sequence[tuple[Value, ...]], position: int) -> bool:
    """A column with a value in each of several given rows is taken to need one, whatever its declaration allows."""
    return len(rows) < FEW_ROWS or any(row[position] is None for row in rows)


def _place(demands: Demands, node: tuple[int, str]) -> Place:
    return demands.tables[node[0]].name.casefold(), node[1]


def _all_leaves(demands: Demands) -> Iterator[Leaf]:
    for scope in demands.scopes:
        yield from (leaf for leaf in conditions(scope.formula) if isinstance(leaf, Leaf))
        yield from scope.bounds


def _meetings(schema: Schema, demands: Demands) -> Iterator[tuple[Place, Place]]:
    for table in schema.tables:
        for key in table.foreign_keys:
            parent = schema.table(key.parent)
            for child, column in zip(key.columns, key.parent_columns, strict=True):
                if parent is not None and column.casefold() in parent.position:
                    yield (table.name.casefold(), child.casefold()), (parent.name.casefold(), column.casefold())
    for same in _equalities(demands):
        yield _place(demands, same.one), _place(demands, same.other)


def _equalities(demands: Demands) -> Iterator[Same]:
    for scope in demands.scopes:
        yield from (leaf for leaf in conditions(scope.formula) if isinstance(leaf, Same))
    yield from demands.links


def _references(schema: Schema, demands: Demands) -> dict[str, tuple[ForeignKey, ...]]:
    """Declared foreign keys that can be followed, then the gold's joins of a column with another table's key."""
    found: dict[str, list[ForeignKey]] = defaultdict(list)
    for table in schema.tables:
        for key in table.foreign_keys:
            parent = schema.table(key.parent)
            if parent and None not in (*_places(table, key.columns), *_places(parent, key.parent_columns)):
                found[table.name.casefold()].append(key)
    for scope in demands.scopes:
        for same in conditions(scope.formula):
            if isinstance(same, Same):
                for child, parent in ((same.one, same.other), (same.other, same.one)):
                    _imply(found, _place(demands, child), _place(demands, parent), schema)
    return {name: tuple(keys) for name, keys in found.items()}


def _imply(found: dict[str, list[ForeignKey]], child: Place, parent: Place, schema: Schema) -> None:
    table = schema.table(parent[0])
    is_key = any(tuple(c.casefold() for c in key.columns) == (parent[1],) and not key.partial for key in table.keys)
    taken = {column.casefold() for key in found[child[0]] for column in key.columns}
    back = any(key.parent.casefold() == child[0] for key in found[parent[0]])
    if is_key and child[0] != parent[0] and child[1] not in taken and not back:
        found[child[0]].append(ForeignKey((child[1],), table.name, (parent[1],)))


def _parents_first(schema: Schema, references: Mapping[str, tuple[ForeignKey, ...]]) -> tuple[Table, ...]:
    """The tables in an order in which a table follows its parents; a circle is cut where it is met."""
    placed: dict[str, Table] = {}
    entered: set[str] = set()

    def place(table: Table) -> None:
        name = table.name.casefold()
        if name in entered:
            return
        entered.add(name)
        for key in references.get(name, ()):
            place(schema.table(key.parent))
        placed[name] = table

    for table in schema.tables:
        place(table)
    return tuple(placed.values())
