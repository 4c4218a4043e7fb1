"""World: all that the variants of an example are drawn from, table by table, with every name resolved to a place.

What the given data show counts for more than what the declaration allows: a column that holds a value in each given
row is taken to need one. A join in the gold with another table's key is taken for a foreign key, declared or not.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sql_rl.judge.schema import ForeignKey, Schema, Table
from sql_rl.judge.variants.demands import Demands, Node, Place, Same, conditions
from sql_rl.judge.variants.domains import Domain, build_domains, place_of
from sql_rl.judge.variants.given import Given
from sql_rl.judge.variants.probes import Truths


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns of a table that refer to columns of the table `parent` (folded name); places are in `Table.stored`.

    affinities: of the columns. ahead: the parent is filled no earlier than the child, as references run in a circle.
    """

    places: tuple[int, ...]
    affinities: tuple[str, ...]
    parent: str
    parent_places: tuple[int, ...]
    parent_affinities: tuple[str, ...]
    ahead: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A table to be filled. name: folded. domains, required, nullable, many: of each stored column.

    required: it is declared NOT NULL or belongs to a key, so that it never holds NULL. nullable: it may now and then.
    many: it suits many different values, since it completes a key or the gold ranks by it. ranked: the places that the
    gold ranks by. keys: places of the columns of unique keys, and of those that the gold takes single rows by. rowid:
    the place of the INTEGER PRIMARY KEY, which holds nothing but integers. references: declared foreign keys that can
    be followed, and those that the gold's joins imply. asked: the gold reads this table.
    """

    table: Table
    name: str
    domains: tuple[Domain, ...]
    required: tuple[bool, ...]
    nullable: tuple[bool, ...]
    many: tuple[bool, ...]
    ranked: tuple[int, ...]
    keys: tuple[tuple[int, ...], ...]
    rowid: int | None
    references: tuple[Reference, ...]
    asked: bool


@dataclass(frozen=True, slots=True)
class World:
    """plans: by folded table name, parents before children as far as can be. sources: the plan of each source of the
    gold. nodes: the columns of each source that the gold names. truths: of the conditions on them."""

    demands: Demands
    truths: Truths
    plans: Mapping[str, Plan]
    sources: tuple[Plan, ...]
    nodes: tuple[tuple[Node, ...], ...]


def build_world(schema: Schema, given: Given, demands: Demands, truths: Truths) -> World:
    """The world of an example."""
    domains = build_domains(schema, given, demands, truths)
    references = _references(schema, demands)
    asked = {table.name for table in demands.tables}
    taken_by = sorted({place_of(demands, node) for node in demands.singled})
    plans: dict[str, Plan] = {}
    for table in _parents_first(schema, references):
        found = tuple(
            _reference(table, key, schema.table(key.parent), key.parent.casefold() not in plans)
            for key in references.get(table.name.casefold(), ())
        )
        own = tuple(domains[table.name.casefold(), column.name.casefold()] for column in table.stored)
        singled = [place for place in taken_by if place[0] == table.name.casefold()]
        plan = _plan(table, own, given, found, table.name in asked, singled)
        plans[plan.name] = plan
    sources = tuple(plans[table.name.casefold()] for table in demands.tables)
    named = sorted(demands.mentioned)
    nodes = tuple(tuple(node for node in named if node[0] == number) for number in range(len(sources)))
    return World(demands, truths, plans, sources, nodes)


def _plan(
    table: Table,
    domains: tuple[Domain, ...],
    given: Given,
    refers: tuple[Reference, ...],
    asked: bool,
    singled: Sequence[Place],
) -> Plan:
    keys = tuple(_places(table, key.columns) for key in table.keys if not key.partial)
    alone = [(table.position[column],) for _, column in singled]
    keys += tuple(k for k in alone if k not in keys and not given.has_repeated(table.name.casefold(), k[0]))
    keys = tuple(key for key in keys if None not in key)
    keyed = {place for key in keys for place in key}
    referring = {place for reference in refers for place in reference.places}
    required = tuple(column.not_null or place in keyed for place, column in enumerate(table.stored))
    ranked = tuple(place for place, domain in enumerate(domains) if domain.ranked)
    return Plan(
        table,
        table.name.casefold(),
        domains,
        required,
        nullable=tuple(
            not (required[place] or place in ranked) and given.may_be_null(table.name.casefold(), place)
            for place in range(len(domains))
        ),
        many=tuple(p in ranked or (p in keyed and p not in referring) for p in range(len(domains))),
        ranked=ranked,
        keys=keys,
        rowid=next((c for c in keyed if (c,) in keys and table.stored[c].declared.upper() == "INTEGER"), None),
        references=refers,
        asked=asked,
    )


def _reference(table: Table, key: ForeignKey, parent: Table, ahead: bool) -> Reference:
    places, parent_places = _places(table, key.columns), _places(parent, key.parent_columns)
    affinities = tuple(table.stored[place].affinity for place in places)
    parent_affinities = tuple(parent.stored[place].affinity for place in parent_places)
    return Reference(places, affinities, parent.name.casefold(), parent_places, parent_affinities, ahead)


def _places(table: Table, columns: Sequence[str]) -> tuple[int | None, ...]:
    return tuple(table.position.get(column.casefold()) for column in columns)


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
                    _imply(found, place_of(demands, child), place_of(demands, parent), schema)
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
    for first in schema.tables:
        path = [first]
        while path:
            table = path[-1]
            name = table.name.casefold()
            entered.add(name)
            ahead = [key.parent for key in references.get(name, ()) if key.parent.casefold() not in entered]
            if ahead:
                path.append(schema.table(ahead[0]))
            else:
                placed.setdefault(name, path.pop())
    return tuple(placed.values())
