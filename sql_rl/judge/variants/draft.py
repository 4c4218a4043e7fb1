"""A variant while it is drawn: tables whose keys stay unique and whose references find their parents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from sql_rl.judge.variants import values
from sql_rl.judge.variants.demands import Value
from sql_rl.judge.variants.domains import Domain
from sql_rl.judge.variants.world import Plan, Reference, World

T = TypeVar("T")
Row = list[Value]


@dataclass(frozen=True, slots=True)
class Style:
    """How a variant is drawn; pairs are the least and the most. asked, spare: rows of tables that the gold reads, and
    of the others. variety: different common values of a domain. special: the share of values on the gold's
    boundaries. nulls: the share of NULLs where a column may be NULL. witnesses: how often rows are planted."""

    asked: tuple[int, int]
    spare: tuple[int, int]
    variety: tuple[int, int]
    special: float
    nulls: float
    witnesses: int


class Draft:
    """Rows by table, drawn from a world in a style. All randomness comes from `random`."""

    def __init__(self, world: World, style: Style, random: Random) -> None:
        self.world = world
        self.random = random
        self._style = style
        self._serial = 0
        self._pools: dict[int, list[Value]] = {}  # by identity of the domain
        self._rows: dict[str, list[Row]] = {name: [] for name in world.plans}
        # By table and the places of a key: the row that holds a key's values.
        self._keyed: dict[tuple[str, tuple[int, ...]], dict[tuple[Value, ...], Row]] = {
            (name, key): {} for name, plan in world.plans.items() for key in plan.keys
        }
        for plan in world.plans.values():
            self._fill(plan)
        for plan in world.plans.values():
            self._close_circles(plan)

    def rows(self) -> dict[str, list[tuple[Value, ...]]]:
        """The rows by the tables' declared names."""
        return {plan.table.name: list(map(tuple, self._rows[name])) for name, plan in self.world.plans.items()}

    def pick(self, choices: Sequence[T]) -> T:
        """One of them; `random.choice` takes three times as long, and most of the time goes there."""
        return choices[int(self.random.random() * len(choices))]

    def pool(self, domain: Domain) -> list[Value]:
        """The values that a column draws from in this variant; more frequent ones stand in it more often."""
        pool = self._pools.get(id(domain))
        if pool is None:
            style = self._style
            pool = self.random.choices(domain.common, k=self.random.randint(*style.variety))
            if domain.special:
                times = round(style.special / (1 - style.special) * len(pool) / len(domain.special))
                pool += domain.special * max(1, times)
            self._pools[id(domain)] = pool
        return pool

    def _fill(self, plan: Plan) -> None:
        """Draw the rows of a table, column by column."""
        stored = plan.table.stored
        size = self.random.randint(*(self._style.asked if plan.asked else self._style.spare))
        columns: list[list[Value] | None] = [None] * len(stored)
        for reference in plan.references:
            if not reference.ahead and all(columns[place] is None for place in reference.places):
                self._refer(reference, columns, size)
        for key in plan.keys:
            if len(key) == 1 and columns[key[0]] is None:
                columns[key[0]] = self._distinct(plan.domains[key[0]], size)
        for place, domain in enumerate(plan.domains):
            if columns[place] is None:
                many = plan.many[place]
                columns[place] = (
                    self._scattered(domain, size) if many else self.random.choices(self.pool(domain), k=size)
                )
            if plan.nullable[place] and self._style.nulls:
                columns[place] = [
                    None if self.random.random() < self._style.nulls else value for value in columns[place]
                ]
        for row in zip(*columns, strict=True):
            self._put(plan, list(row))
        if not plan.keys:  # nothing forbids that rows repeat
            self._rows[plan.name] += [list(row) for row in self.random.sample(self._rows[plan.name], size // 6)]

    def _refer(self, reference: Reference, columns: list[list[Value] | None], size: int) -> None:
        """Draw the columns of a reference from the parent's rows, some parents more often than others."""
        parents = self._rows[reference.parent]
        if not parents:
            return
        skew, few = self.pick((1, 3, 6)), self.pick((2, 3, 5, len(parents), len(parents)))
        parents = self.random.sample(parents, min(few, len(parents)))
        weights = [self.random.random() ** skew + 0.02 for _ in parents]
        drawn = self.random.choices(parents, weights, k=size)
        for place, affinity, parent_place in zip(
            reference.places, reference.affinities, reference.parent_places, strict=True
        ):
            columns[place] = [values.coerce(row[parent_place], affinity) for row in drawn]

    def _close_circles(self, plan: Plan) -> None:
        """Draw the references to tables that are filled later, except where they are part of a key."""
        keyed = {place for key in plan.keys for place in key}
        for reference in plan.references:
            if reference.ahead and keyed.isdisjoint(reference.places):
                columns: list[list[Value] | None] = [None] * len(plan.domains)
                rows = self._rows[plan.name]
                self._refer(reference, columns, len(rows))
                for place in reference.places:
                    for row, value in zip(rows, columns[place] or (), strict=False):
                        row[place] = value

    def _scattered(self, domain: Domain, size: int) -> list[Value]:
        """Values of which few are equal."""
        if domain.closed:
            return self.random.choices(domain.every, k=size)
        return self.random.sample([*domain.every, *values.more_like(domain.common, 2 * size, self.random)], size)

    def _distinct(self, domain: Domain, size: int) -> list[Value]:
        drawn = self.random.sample(domain.every, min(size, len(domain.every)))
        return drawn + [self.fresh(domain) for _ in range(size - len(drawn))]

    def fresh(self, domain: Domain) -> Value:
        """A value that no row holds yet, above all others."""
        self._serial += 1
        return values.shifted(domain.highest, self._serial)

    def standing_out(self, domain: Domain) -> Value:
        """A value that no row holds yet, above or below all others; a truth value is one of two."""
        if domain.closed:
            return self.pick(domain.every)
        self._serial += 1
        if self.random.random() < 0.5:
            return values.shifted(domain.highest, self._serial)
        return values.shifted(domain.lowest, -self._serial)

    def _put(self, plan: Plan, row: Row) -> bool:
        """Add a row unless a key of it is taken or cannot be one. Was it added?"""
        if plan.rowid is not None and not isinstance(row[plan.rowid], int):
            return False
        found = []
        for key in plan.keys:
            holders = self._keyed[plan.name, key]
            parts = tuple([row[place] for place in key])
            if parts in holders and None not in parts:
                return False
            found.append((holders, parts))
        for holders, parts in found:
            holders[parts] = row
        self._rows[plan.name].append(row)
        return True

    def plant(self, plan: Plan, wanted: Mapping[int, Value], depth: int = 0) -> None:
        """See to it that there is a row with these values by place: change the one that has their key, or add one.

        wanted: as SQLite stores them there. Parents that the row refers to are planted too.
        """
        for key in plan.keys:
            if all(place in wanted for place in key):
                row = self._keyed[plan.name, key].get(tuple([wanted[place] for place in key]))
                if row is not None:
                    keyed = {place for other in plan.keys for place in other}
                    self._adopt(plan, row, {place: v for place, v in wanted.items() if place not in keyed}, depth)
                    return
        rows = self._rows[plan.name]
        row = list(self.pick(rows)) if rows else [self.pick(self.pool(domain)) for domain in plan.domains]
        for place, value in wanted.items():
            row[place] = value
        for place in plan.ranked:
            if place not in wanted:
                row[place] = self.standing_out(plan.domains[place])
        for key in plan.keys:
            free = [place for place in key if place not in wanted]
            if free:
                place = next((place for place in free if plan.many[place]), free[0])
                row[place] = self.fresh(plan.domains[place])
        if self._put(plan, row):
            self._adopt(plan, row, {}, depth)

    def _adopt(self, plan: Plan, row: Row, changes: Mapping[int, Value], depth: int) -> None:
        """Change a row and give it the parents that it refers to."""
        for place, value in changes.items():
            row[place] = value
        if depth > len(self.world.plans):  # the references run in a circle
            return
        for reference in plan.references:
            parts = tuple([row[place] for place in reference.places])
            if None in parts:
                continue
            if reference.affinities != reference.parent_affinities:
                parts = tuple(map(values.coerce, parts, reference.parent_affinities))
            if not self._is_known(reference, parts):
                wanted = dict(zip(reference.parent_places, parts, strict=True))
                self.plant(self.world.plans[reference.parent], wanted, depth + 1)

    def _is_known(self, reference: Reference, parts: tuple[Value, ...]) -> bool:
        """Is there a parent with these values?"""
        holders = self._keyed.get((reference.parent, reference.parent_places))
        if holders is not None:
            return parts in holders
        parents = self._rows[reference.parent]
        return any(tuple([row[place] for place in reference.parent_places]) == parts for row in parents)
