"""Rows that satisfy the gold, and rows that miss by one condition: planted into a draft.

For one scope of the gold, or for all of them joined by their links, every source gets a row. Columns that have to be
equal get one value, chosen on or beside the boundaries of the conditions on them. Half of the time one condition is
broken and the others hold, as in constraint-based test data for SQL mutants (Chandra et al. 2015, "Data generation
for testing and grading SQL queries"). Groups get as many rows as HAVING asks for, one fewer or one more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from sql_rl.judge import values
from sql_rl.judge.demands import Both, Either, Formula, Leaf, Node, Not, Same, Scope, Value
from sql_rl.judge.domains import Domain, Plan, grouped
from sql_rl.judge.draft import Draft

LARGEST_GROUP = 60

Choice = tuple[Leaf | Same, bool]  # a condition, and whether it is to be met


@dataclass(frozen=True, slots=True)
class Slot:
    """Columns that hold one value. domain: theirs. fitting: what may stand there; () for a value of its own that
    stands out. kept: the same for all rows of a group."""

    nodes: tuple[Node, ...]
    domain: Domain
    fitting: Sequence[Value]
    kept: bool


def plant_witness(draft: Draft, turn: int) -> None:
    """Plant the rows of one attempt at satisfying, or just missing, the gold. turn: the number of the attempt."""
    random, demands = draft.random, draft.world.demands
    scopes = [scope for scope in demands.scopes if scope.sources]
    if not scopes:
        return
    together = len(scopes) > 1 and random.random() < 0.5
    chosen = scopes if together else [random.choice(scopes)]
    miss = random.choice([*chosen, None]) if random.random() < 0.75 else None
    choices = [choice for scope in chosen for choice in choose(scope.formula, scope is not miss, random)]
    if together:
        choices += [(link, True) for link in demands.links if random.random() < 0.8]
    grouping = next((scope for scope in chosen if scope.groups), None)
    times = _group_size(grouping, turn, random)
    bounds = _bound_values(grouping, times, random)
    sources = [source for scope in chosen for source in scope.sources]
    if random.random() < 0.1:
        sources = [random.choice(sources)]  # rows that find no partner
    slots = list(_slots(draft, chosen, sources, choices, grouping, bounds, times > 1))
    held = {id(slot): _value(draft, slot) for slot in slots if slot.kept}
    plans = {source: draft.world.plans[demands.tables[source].name.casefold()] for source in sources}
    for _ in range(times):
        fixed: dict[int, dict[int, Value]] = {source: {} for source in sources}
        for slot in slots:
            value = held[id(slot)] if slot.kept else _value(draft, slot)
            for source, column in slot.nodes:
                fixed[source][plans[source].table.position[column]] = value
        for source in sources:
            draft.plant(plans[source], fixed[source])


def choose(formula: Formula, wanted: bool, random: Random) -> list[Choice]:
    """Conditions, each to be met or broken, which together make the formula true or false.

    A conjunction is made false by one part alone, so that no other part can be what a row misses.
    """
    match formula:
        case Not(part):
            return choose(part, not wanted, random)
        case Both(parts) | Either(parts):
            easy = isinstance(formula, Both) == wanted  # then all parts go the same way
            turned = None if easy or not parts else random.randrange(len(parts))
            return [
                choice
                for index, part in enumerate(parts)
                for choice in choose(part, wanted if easy or index == turned else not wanted, random)
            ]
    return [(formula, wanted)]


def _group_size(scope: Scope | None, turn: int, random: Random) -> int:
    if scope is not None and scope.sizes:
        return max(1, min(LARGEST_GROUP, random.choice(scope.sizes) + (0, 1, -1)[turn % 3]))
    return random.choice((1, 1, 2, 3) if scope is None else (1, 2, 3, 6))


def _bound_values(scope: Scope | None, times: int, random: Random) -> dict[Node, Value]:
    """What the rows of a group hold in a column so that its MIN, MAX, AVG or SUM lies on or beside the bound."""
    found: dict[Node, Value] = {}
    for bound in scope.bounds if scope is not None else ():
        near = random.choice([bound.value, *values.neighbours(bound.value)])
        share = near / times if bound.op == "sum" and isinstance(near, int | float) else near
        found[bound.node] = int(share) if isinstance(share, float) and share.is_integer() else share
    return found


def _slots(
    draft: Draft,
    scopes: list[Scope],
    sources: list[int],
    choices: list[Choice],
    grouping: Scope | None,
    bounds: dict[Node, Value],
    repeated: bool,
) -> Iterator[Slot]:
    """The columns of the sources that a witness decides, those together that have to be equal.

    repeated: several rows are planted. At random, what the gold shows stands out among all rows, the planted rows
    show the same, and no other row joins them.
    """
    nodes = dict.fromkeys(node for source in sources for node in draft.world.nodes[source])
    pairs = [
        (same.one, same.other)
        for same, met in choices
        if met and isinstance(same, Same) and same.one in nodes and same.other in nodes
    ]
    random = draft.random
    outputs = {node for scope in scopes for node in scope.outputs}
    stands_out, alike = random.random() < 0.5, repeated and random.random() < 0.4
    asked = grouping is not None and bool(grouping.sizes or grouping.bounds)
    isolated = random.random() < (0.7 if asked else 0.4)
    groups = set(grouping.groups) if grouping is not None else set()
    owners = {source for source, _ in groups}  # whose rows the group is one of
    for together in grouped(nodes, pairs):
        leaves = [(leaf, met) for leaf, met in choices if isinstance(leaf, Leaf) and leaf.node in together]
        bound = next((bounds[node] for node in together if node in bounds), None)
        joins, grouped_by, shown = len(together) > 1, *(not s.isdisjoint(together) for s in (groups, outputs))
        owned = isolated and joins and any(source in owners for source, _ in together)
        kept = owned or grouped_by or (shown and alike and not joins)
        alone = (isolated and (owned or joins or (grouped_by and asked))) or (shown and stands_out)
        if joins or leaves or kept or alone or bound is not None:
            source, column = together[0]
            plan = draft.world.plans[draft.world.demands.tables[source].name.casefold()]
            place = plan.table.position[column]
            if bound is not None:
                fitting: Sequence[Value] = [bound]
            else:
                fitting = () if alone and not leaves else _fitting(draft, plan, place, leaves)
            yield Slot(tuple(together), plan.domains[place], fitting, kept)


def _value(draft: Draft, slot: Slot) -> Value:
    return draft.pick(slot.fitting) if slot.fitting else draft.standing_out(slot.domain)


def _fitting(draft: Draft, plan: Plan, place: int, leaves: list[tuple[Leaf, bool]]) -> list[Value]:
    """Values that meet and break the conditions as wanted, if there are any; else all of the column's pool."""
    domain, affinity = plan.domains[place], plan.table.stored[place].affinity
    pool = draft.pool(domain)
    if not leaves:
        return pool
    tests = [(Leaf(leaf.node, leaf.op, values.coerce(leaf.value, affinity)), met) for leaf, met in leaves]
    if any(leaf.op == "null" and met for leaf, met in tests):
        return [None]
    near = [values.coerce(value, affinity) for leaf, _ in tests for value in values.around(leaf, domain.dated)]
    if domain.whole:
        near = [value for value in near if not values.is_fraction(value)]
    fitting = [v for v in near if all(values.holds(leaf, v) == met for leaf, met in tests)]
    if not fitting or draft.random.random() < 0.2:
        fitting += [v for v in pool if all(values.holds(leaf, v) == met for leaf, met in tests)]
    return fitting or pool
