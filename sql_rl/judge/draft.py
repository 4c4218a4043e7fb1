"""A variant while it is drawn: tables whose keys stay unique and whose references find their parents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from sql_rl.judge import values
from sql_rl.judge.demands import Value
from sql_rl.judge.domains import Domain, World
from sql_rl.judge.schema import ForeignKey, Table


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
        self._pools: dict[int, list[Value]] = {}
        self._serial = 0
        self._rows: dict[str, list[list[Value]]] = {table.name.casefold(): [] for table in world.order}
        self._keys: dict[str, list[tuple[int, ...]]] = {}
        self._taken: dict[tuple[str, tuple[int, ...]], dict[tuple[Value, ...], list[Value]]] = {}
        for table in world.order:
            self._fill(table)

    def rows(self) -> dict[str, list[tuple[Value, ...]]]:
        """The rows by the tables' declared names."""
        return {table.name: [tuple(row) for row in self._rows[table.name.casefold()]] for table in self.world.order}

    def pool(self, domain: Domain) -> list[Value]:
        """The values that a domain draws from in this variant; more frequent ones stand in it more often."""
        pool = self._pools.get(id(domain))
        if pool is None:
            pool = self._pools[id(domain)] = self._draw_pool(domain)
        return pool

    def _draw_pool(self, domain: Domain) -> list[Value]:
        random, style = self.random, self._style
        common = domain.common
        if domain.ranked:
            return [*common, *values.more_like(common, 24, random), *domain.special]
        common = random.sample(common, min(len(common), random.randint(*style.variety)))
        if not domain.special:
            return common
        special = domain.special
        times = max(1, round(style.special / (1 - style.special) * len(common) / len(special)))
        return common + list(special) * times

    def _fill(self, table: Table) -> None:
        name = table.name.casefold()
        random, style = self.random, self._style
        size = random.randint(*(style.asked if name in self.world.asked else style.spare))
        columns: dict[str, list[Value]] = {}
        for key in self.world.references.get(name, ()):
            self._refer(table, key, columns, size)
        for column in table.stored:
            place = name, column.name.casefold()
            if place[1] in columns:
                continue
            drawn = columns[place[1]] = random.choices(self.pool(self.world.domains[place]), k=size)
            if place in self.world.sometimes_null and style.nulls:
                columns[place[1]] = [None if random.random() < style.nulls else value for value in drawn]
        keys = [tuple(c.casefold() for c in key.columns) for key in table.keys if not key.partial]
        referring = {c.casefold() for key in self.world.references.get(name, ()) for c in key.columns}
        for key in keys:
            if len(key) == 1 and key[0] in table.position:
                self._make_distinct(name, key[0], columns, size, key[0] in referring)
        self._keys[name] = [
            tuple(table.position[c] for c in key) for key in keys if all(c in table.position for c in key)
        ]
        for key in self._keys[name]:
            self._taken[name, key] = {}
        affinities = [column.affinity for column in table.stored]
        order = [columns[column.name.casefold()] for column in table.stored]
        coerced = ([values.coerce(v, a) for v in column] for column, a in zip(order, affinities, strict=True))
        for row in zip(*coerced, strict=True):
            self._put(name, list(row))
        if not self._keys[name] and size > 3:
            self._rows[name] += [list(row) for row in random.sample(self._rows[name], size // 6)]

    def _refer(self, table: Table, key: ForeignKey, columns: dict[str, list[Value]], size: int) -> None:
        """Draw the columns of a reference from the parent's rows, some parents more often than others."""
        children = [column.casefold() for column in key.columns]
        parent = self.world.schema.table(key.parent)
        rows = self._rows[parent.name.casefold()]
        if not rows or any(child in columns for child in children):
            return
        places = [parent.position[column.casefold()] for column in key.parent_columns]
        weights = [self.random.random() ** 2 + 0.02 for _ in rows]
        drawn = self.random.choices(rows, weights, k=size)
        nullable = all((table.name.casefold(), child) in self.world.sometimes_null for child in children)
        for child, place in zip(children, places, strict=True):
            columns[child] = [row[place] for row in drawn]
        if nullable and self._style.nulls:
            for index in range(size):
                if self.random.random() < self._style.nulls:
                    for child in children:
                        columns[child][index] = None

    def _make_distinct(self, name: str, column: str, columns: dict[str, list[Value]], size: int, refers: bool) -> None:
        if refers:
            return  # rows that repeat a parent are left out instead
        domain = self.world.domains[name, column]
        pool = list(dict.fromkeys([*domain.special, *domain.common]))
        if len(pool) < 2 * size:
            pool += values.more_like(domain.common, 2 * size, self.random)
        columns[column] = self.random.sample(pool, min(size, len(pool)))
        columns[column] += [self.fresh(domain) for _ in range(size - len(columns[column]))]

    def fresh(self, domain: Domain) -> Value:
        """A value that no row holds yet, above all others."""
        self._serial += 1
        return values.beyond(domain.common, self._serial)

    def standing_out(self, domain: Domain) -> Value:
        """A value that no row holds yet, above or below all others."""
        self._serial += 1
        return values.beyond(domain.common, self._serial if self.random.random() < 0.5 else -self._serial)

    def _put(self, name: str, row: list[Value]) -> bool:
        """Add a row unless a key of it is taken. Was it added?"""
        keys = [(key, tuple(row[place] for place in key)) for key in self._keys[name]]
        if any(None not in parts and parts in self._taken[name, key] for key, parts in keys):
            return False
        for key, parts in keys:
            self._taken[name, key][parts] = row
        self._rows[name].append(row)
        return True

    def plant(self, table: Table, fixed: Mapping[str, Value], depth: int = 0) -> None:
        """See to it that there is a row with these values: change the one that has their key, or add one."""
        name = table.name.casefold()
        wanted = {
            table.position[column]: values.coerce(value, table.stored[table.position[column]].affinity)
            for column, value in fixed.items()
        }
        for key in self._keys[name]:
            if all(place in wanted for place in key):
                row = self._taken[name, key].get(tuple(wanted[place] for place in key))
                if row is not None:
                    keyed = {place for other in self._keys[name] for place in other}
                    for place, value in wanted.items():
                        if place not in keyed:
                            row[place] = value
                    self._adopt(table, row, depth)
                    return
        rows = self._rows[name]
        row = list(self.random.choice(rows)) if rows else [self._any(name, c.name) for c in table.stored]
        for place, value in wanted.items():
            row[place] = value
        for key in self._keys[name]:
            free = [place for place in key if place not in wanted]
            if free:
                place = self.random.choice(free)
                column = table.stored[place]
                row[place] = values.coerce(
                    self.fresh(self.world.domains[name, column.name.casefold()]), column.affinity
                )
        if self._put(name, row):
            self._adopt(table, row, depth)

    def _any(self, name: str, column: str) -> Value:
        return self.random.choice(self.pool(self.world.domains[name, column.casefold()]))

    def _adopt(self, table: Table, row: Sequence[Value], depth: int) -> None:
        """Give a row the parents that it refers to."""
        if depth == len(self.world.order):  # a circle
            return
        for key in self.world.references.get(table.name.casefold(), ()):
            parent = self.world.schema.table(key.parent)
            parts = [row[table.position[column.casefold()]] for column in key.columns]
            if None in parts:
                continue
            places = [parent.position[column.casefold()] for column in key.parent_columns]
            known = self._taken.get((parent.name.casefold(), tuple(places)))
            if known is not None:
                if tuple(parts) in known:
                    continue
            elif any([other[place] for place in places] == parts for other in self._rows[parent.name.casefold()]):
                continue
            columns = [column.casefold() for column in key.parent_columns]
            self.plant(parent, dict(zip(columns, parts, strict=True)), depth + 1)
