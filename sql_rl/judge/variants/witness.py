"""Rows that satisfy the gold, and rows that miss by one condition: planted into a draft.

For one scope of the gold, or for all of them joined by their links, every source gets a row. Columns that have to be
equal get one value, chosen on or beside the boundaries of the conditions on them. Most of the time one condition is
broken and the others hold, as in constraint-based test data for SQL mutants (Chandra et al. 2015, "Data generation
for testing and grading SQL queries"). Groups get as many rows as HAVING asks for, one fewer or one more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from sql_rl.judge.variants import values
from sql_rl.judge.variants.demands import Both, Either, Formula, Leaf, Node, Not, Probe, Same, Scope, Value
from sql_rl.judge.variants.domains import Domain, grouped
from sql_rl.judge.variants.draft import Draft
from sql_rl.judge.variants.probes import Condition
from sql_rl.judge.variants.world import Plan

LARGEST_GROUP = 60

Choice = tuple[Leaf | Probe | Same, bool]  # a condition, and whether it is to be met


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one witness is to be. sources: of the scopes, or only one of them, whose rows then find no partner.

    grouping: the scope whose groups are counted, None without. times: how many rows a group gets. bounds: what they
    hold in columns of which HAVING bounds a sum, an average or an extreme. stands_out: the columns that the gold shows
    hold what no other row holds. alike: they hold the same in all rows planted. alone: no other row joins them.
    """

    scopes: Sequence[Scope]
    sources: Sequence[int]
    choices: Sequence[Choice]
    grouping: Scope | None
    times: int
    bounds: Mapping[Node, Value]
    stands_out: bool
    alike: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """Columns that hold one value. columns: source, place, and affinity of each. domain: of the first. fitting: what
    may stand there; () for a value that stands out. kept: the same for all rows of a group."""

    columns: Sequence[tuple[int, int, str]]
    domain: Domain
    fitting: Sequence[Value]
    kept: bool


def plant_witness(draft: Draft, turn: int) -> None:
    """Plant the rows of one attempt at satisfying, or just missing, the gold. turn: the number of the attempt."""
    attempt = _attempt(draft, turn)
    if attempt is None:
        return
    sources = draft.world.sources
    slots = list(_slots(draft, attempt))
    held = [_value(draft, slot) if slot.kept else None for slot in slots]
    for _ in range(attempt.times):
        wanted: dict[int, dict[int, Value]] = {source: {} for source in attempt.sources}
        for slot, kept in zip(slots, held, strict=True):
            value = kept if slot.kept else _value(draft, slot)
            for source, place, affinity in slot.columns:
                wanted[source][place] = values.coerce(value, affinity)
        for source in attempt.sources:
            draft.plant(sources[source], wanted[source])


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


def _attempt(draft: Draft, turn: int) -> Attempt | None:
    """Decide at random what a witness is to be; None where the gold reads no table."""
    random, demands = draft.random, draft.world.demands
    scopes = [scope for scope in demands.scopes if scope.sources]
    if not scopes:
        return None
    together = len(scopes) > 1 and random.random() < 0.5
    chosen = scopes if together else [draft.pick(scopes)]
    missed = draft.pick([*chosen, None]) if random.random() < 0.75 else None
    choices = [choice for scope in chosen for choice in choose(scope.formula, scope is not missed, random)]
    aside = [formula for scope in chosen for formula in scope.aside]
    if aside and random.random() < 0.5:
        choices += choose(draft.pick(aside), random.random() < 0.5, random)
    if together:
        choices += [(link, True) for link in demands.links if random.random() < 0.8]
    grouping = next((scope for scope in chosen if scope.groups), None)
    asked = grouping is not None and bool(grouping.sizes or grouping.bounds)
    times = _group_size(draft, grouping, turn)
    sources = [source for scope in chosen for source in scope.sources]
    sources = [source for source in sources if source not in _absent(draft, choices)] or sources
    return Attempt(
        chosen,
        [draft.pick(sources)] if random.random() < 0.1 else sources,
        choices,
        grouping,
        times,
        _bound_values(draft, grouping, times),
        stands_out=random.random() < 0.5,
        alike=times > 1 and random.random() < 0.4,
        alone=random.random() < (0.7 if asked else 0.4),
    )


def _absent(draft: Draft, choices: Sequence[Choice]) -> set[int]:
    """Sources of which a column that is never NULL has to be NULL: an outer join finds no row there (an anti-join)."""
    return {
        leaf.node[0]
        for leaf, met in choices
        if met and isinstance(leaf, Leaf) and leaf.op == "null" and _is_required(draft, leaf.node)
    }


def _is_required(draft: Draft, node: Node) -> bool:
    source, place, _ = _column(draft, node)
    return draft.world.sources[source].required[place]


def _group_size(draft: Draft, scope: Scope | None, turn: int) -> int:
    if scope is not None and scope.sizes:
        return max(1, min(LARGEST_GROUP, draft.pick(scope.sizes) + (0, 1, -1)[turn % 3]))
    return draft.pick((1, 1, 2, 3) if scope is None else (1, 2, 3, 6))


def _bound_values(draft: Draft, scope: Scope | None, times: int) -> dict[Node, Value]:
    """What the rows of a group hold in a column so that its MIN, MAX, AVG or SUM lies on or beside the bound."""
    found: dict[Node, Value] = {}
    for bound in scope.bounds if scope is not None else ():
        near = draft.pick([bound.value, *values.neighbours(bound.value)])
        found[bound.node] = near / times if bound.op == "sum" and isinstance(near, int | float) else near
    return found


def _slots(draft: Draft, attempt: Attempt) -> Iterator[Slot]:
    """The columns that a witness decides, those together that have to be equal."""
    nodes = {node: None for source in attempt.sources for node in draft.world.nodes[source]}
    pairs = [
        (same.one, same.other)
        for same, met in attempt.choices
        if met and isinstance(same, Same) and same.one in nodes and same.other in nodes
    ]
    grouping = attempt.grouping
    asked = grouping is not None and bool(grouping.sizes or grouping.bounds)
    outputs = {node for scope in attempt.scopes for node in scope.outputs}
    groups = set(grouping.groups) if grouping is not None else set()
    owners = {source for source, _ in groups}  # whose rows the group is one of
    for together in grouped(nodes, pairs):
        leaves = [(leaf, met) for leaf, met in attempt.choices if not isinstance(leaf, Same) and leaf.node in together]
        bound = next((attempt.bounds[node] for node in together if node in attempt.bounds), None)
        joins = len(together) > 1
        is_group, is_shown = not groups.isdisjoint(together), not outputs.isdisjoint(together)
        owned = joins and attempt.alone and any(source in owners for source, _ in together)
        kept = owned or is_group or (is_shown and attempt.alike and not joins)
        new = (attempt.alone and (joins or (is_group and asked))) or (attempt.stands_out and is_shown)
        if not (joins or leaves or kept or new or bound is not None):
            continue
        columns = [_column(draft, node) for node in together]
        source, place, _ = columns[0]
        plan = draft.world.sources[source]
        if bound is not None:
            fitting: Sequence[Value] = [
                round(bound) if plan.domains[place].whole and values.is_fraction(bound) else bound
            ]
        else:
            fitting = () if new and not leaves else _fitting(draft, plan, place, leaves)
        yield Slot(columns, plan.domains[place], fitting, kept)


def _column(draft: Draft, node: Node) -> tuple[int, int, str]:
    source, name = node
    table = draft.world.sources[source].table
    place = table.position[name]
    return source, place, table.stored[place].affinity


def _value(draft: Draft, slot: Slot) -> Value:
    return draft.pick(slot.fitting) if slot.fitting else draft.standing_out(slot.domain)


def _fitting(draft: Draft, plan: Plan, place: int, leaves: list[tuple[Condition, bool]]) -> list[Value]:
    """Values that meet and break the conditions as wanted, if there are any; else all of the column's pool."""
    domain, affinity = plan.domains[place], plan.table.stored[place].affinity
    pool = draft.pool(domain)
    if not leaves:
        return pool
    tests = [(_coerced(leaf, affinity), met) for leaf, met in leaves]
    plain = [leaf for leaf, _ in tests if isinstance(leaf, Leaf)]
    if any(isinstance(leaf, Leaf) and leaf.op == "null" and met for leaf, met in tests):
        return pool if plan.required[place] else [None]
    near = [values.coerce(value, affinity) for leaf in plain for value in values.around(leaf)]
    if domain.whole:
        near = [value for value in near if not values.is_fraction(value)]
    if domain.closed:
        near = [value for value in near if value in domain.every]
    if len(plain) < len(tests) or domain.dated:
        near += domain.special
    fitting = _satisfying(draft, tests, near)
    if not fitting or draft.random.random() < 0.2:
        fitting += _satisfying(draft, tests, pool)
    return fitting or pool


def _coerced(condition: Condition, affinity: str) -> Condition:
    """With its literal as a column of that affinity compares it."""
    if isinstance(condition, Probe):
        return condition
    return Leaf(condition.node, condition.op, values.coerce(condition.value, affinity))


def _satisfying(draft: Draft, tests: Sequence[tuple[Condition, bool]], tried: Sequence[Value]) -> list[Value]:
    truths = [(draft.world.truths.of(condition, tried), met) for condition, met in tests]
    return [value for at, value in enumerate(tried) if all(truth[at] == met for truth, met in truths)]
