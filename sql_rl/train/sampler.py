"""Which questions are asked next: passes over the rows, in which those that teach nothing are mostly left out.

A group of completions that are all right or all wrong has no advantage and no gradient. So each question is in a pool
by the last group that was seen of it, and when its turn comes it is asked with the pool's probability:

    fresh      never asked             always
    frontier   some right, some not    always
    hard       none right              1 time in 4
    easy       all right               1 time in 10

(Curricula by pass rate: prime-rl's pools, DAPO's dynamic sampling, which filters after the fact.) The draws are
recorded, so that a run that is carried on asks what the unbroken one would have asked.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

CHANCES = {"fresh": 1.0, "frontier": 1.0, "hard": 0.25, "easy": 0.1}


def pool(rate: float | None) -> str:
    """Of a question, by the share of its last group that was right; None: it was never asked."""
    return "fresh" if rate is None else "hard" if rate == 0 else "easy" if rate == 1 else "frontier"


class DifficultySampler:
    """Positions of rows in the order in which TRL wants them: a group is one row `copies` times.

    count: rows. groups: different rows in one generation. copies: completions of each. repeats: how often TRL asks
    for the same generation (forward passes that share it, times iterations). generations: in the whole run.
    weighted: by pools as above; without, every question has its turn. Raises ValueError for fewer rows than groups.
    """

    def __init__(
        self, count: int, groups: int, copies: int, repeats: int, generations: int, seed: int, weighted: bool = True
    ) -> None:
        if count < groups:
            raise ValueError(f"a generation asks {groups} different questions, but there are {count}")
        self._count, self._groups, self._copies, self._repeats = count, groups, copies, repeats
        self._generations, self._weighted = generations, weighted
        self._random = Random(seed)
        self._turn: list[int] = []  # what is left of the current pass, the next one last
        self._drawn: list[list[int]] = []  # generation -> rows
        self.rates: dict[int, float] = {}  # row -> share of its last group that was right

    def __len__(self) -> int:
        return self._generations * self._groups * self._copies * self._repeats

    def __iter__(self) -> Iterator[int]:
        for number in range(self._generations):
            if number == len(self._drawn):
                self._drawn.append(self.draw(self._groups))
            for _ in range(self._repeats):
                for row in self._drawn[number]:
                    yield from [row] * self._copies

    def draw(self, groups: int) -> list[int]:
        """So many different rows."""
        drawn: list[int] = []
        while len(drawn) < groups:
            if not self._turn:
                self._turn = [row for row in range(self._count) if row not in drawn]
                self._random.shuffle(self._turn)
            row = self._turn.pop()
            if row not in drawn and (not self._weighted or self._random.random() < CHANCES[self.pool_of(row)]):
                drawn.append(row)
        return drawn

    def pool_of(self, row: int) -> str:
        return pool(self.rates.get(row))

    def saw(self, rows: Sequence[int], passed: Sequence[bool]) -> None:
        """Tells how the completions of a generation fared. rows: of each completion, passed: was it right?"""
        seen: dict[int, list[bool]] = {}
        for row, right in zip(rows, passed, strict=True):
            seen.setdefault(row, []).append(right)
        self.rates |= {row: sum(group) / len(group) for row, group in seen.items()}

    def shares(self) -> dict[str, float]:
        """Pool -> share of all rows."""
        counts = dict.fromkeys(CHANCES, 0)
        for row in range(self._count):
            counts[self.pool_of(row)] += 1
        return {name: n / self._count for name, n in counts.items()}

    def state_dict(self) -> dict[str, Any]:
        """For JSON."""
        version, numbers, rest = self._random.getstate()
        return {
            "random": [version, list(numbers), rest],
            "turn": list(self._turn),
            "drawn": [list(rows) for rows in self._drawn],
            "rates": [[row, rate] for row, rate in self.rates.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        version, numbers, rest = state["random"]
        self._random.setstate((version, tuple(numbers), rest))
        self._turn = list(state["turn"])
        self._drawn = [list(rows) for rows in state["drawn"]]
        self.rates = dict(state["rates"])
