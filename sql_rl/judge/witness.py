"""Rows that satisfy the gold, and rows that miss by one condition: planted into a draft.

For one scope of the gold, or for all of them joined by their links, every source gets a row. Columns that have to be
equal get one value, chosen on or beside the boundaries of the conditions on them. Half of the time one condition is
broken and the others hold, as in constraint-based test data for SQL mutants (Chandra et al. 2015, "Data generation
for testing and grading SQL queries"). Groups get as many rows as HAVING asks for, one fewer or one more.
"""

from random import Random

from sql_rl.judge import values
from sql_rl.judge.demands import Both, Either, Formula, Leaf, Node, Not, Same, Scope, Value
from sql_rl.judge.domains import grouped
from sql_rl.judge.draft import Draft

LARGEST_GROUP = 60

Choice = tuple[Leaf | Same, bool]


def plant_witness(draft: Draft) -> None:
    """Plant the rows of one attempt at satisfying, or just missing, the gold."""
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
    times = _group_size(grouping, random)
    held: dict[int, Value] = {}  # the values of the classes that the group's columns are in
    bounds = _bound_values(grouping, times, random)
    for _ in range(times):
        _plant_once(draft, chosen, choices, grouping, held, bounds)


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


def _group_size(scope: Scope | None, random: Random) -> int:
    if scope is not None and scope.sizes:
        return max(1, min(LARGEST_GROUP, random.choice(scope.sizes) + random.choice((-1, 0, 0, 1))))
    return random.choice((1, 1, 2, 3))


def _bound_values(scope: Scope | None, times: int, random: Random) -> dict[Node, Value]:
    """What the rows of a group hold in a column so that its MIN, MAX, AVG or SUM lies on or beside the bound."""
    found: dict[Node, Value] = {}
    for bound in scope.bounds if scope is not None else ():
        near = random.choice([bound.value, bound.value, *values.neighbours(bound.value)])
        share = near / times if bound.op == "sum" and isinstance(near, int | float) else near
        found[bound.node] = int(share) if isinstance(share, float) and share.is_integer() else share
    return found


def _plant_once(
    draft: Draft,
    scopes: list[Scope],
    choices: list[Choice],
    grouping: Scope | None,
    held: dict[int, Value],
    bounds: dict[Node, Value],
) -> None:
    demands = draft.world.demands
    sources = [source for scope in scopes for source in scope.sources]
    nodes: dict[Node, None] = dict.fromkeys(node for node in demands.mentioned if node[0] in sources)
    nodes = dict.fromkeys(sorted(nodes))
    pairs = [
        (same.one, same.other)
        for same, wanted in choices
        if wanted and isinstance(same, Same) and same.one in nodes and same.other in nodes
    ]
    fixed: dict[int, dict[str, Value]] = {source: {} for source in sources}
    for number, nodes_of_class in enumerate(grouped(nodes, pairs)):
        kept = grouping is not None and any(node in grouping.groups for node in nodes_of_class)
        leaves = [(leaf, wanted) for leaf, wanted in choices if isinstance(leaf, Leaf) and leaf.node in nodes_of_class]
        bound = next((bounds[node] for node in nodes_of_class if node in bounds), None)
        if len(nodes_of_class) == 1 and not leaves and not kept and bound is None:
            continue
        if kept and number in held:
            value = held[number]
        else:
            value = bound if bound is not None else _value(draft, nodes_of_class[0], leaves)
            if kept:
                held[number] = value
        for source, column in nodes_of_class:
            fixed[source][column] = value
    for source in sources:
        draft.plant(demands.tables[source], fixed[source])


def _value(draft: Draft, node: Node, leaves: list[tuple[Leaf, bool]]) -> Value:
    """A value that meets and breaks the conditions as wanted, if one can be found; else any of the domain."""
    table = draft.world.demands.tables[node[0]]
    domain = draft.world.domains[table.name.casefold(), node[1]]
    pool = draft.pool(domain)
    affinity = table.stored[table.position[node[1]]].affinity
    dated = any(map(values.is_date, pool))
    tests = [(Leaf(leaf.node, leaf.op, values.coerce(leaf.value, affinity)), wanted) for leaf, wanted in leaves]
    if any(leaf.op == "null" and wanted for leaf, wanted in tests):
        return None
    near = [values.coerce(value, affinity) for leaf, _ in tests for value in values.around(leaf, dated)]
    fitting = [v for v in near if all(values.holds(leaf, v) == wanted for leaf, wanted in tests)]
    if not fitting or draft.random.random() < 0.2:
        fitting += [v for v in pool if all(values.holds(leaf, v) == wanted for leaf, wanted in tests)]
    return draft.random.choice(fitting or pool)
