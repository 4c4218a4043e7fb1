"""The counters of a whole run: what is settled, and what its workers have under way."""

from typing import Any

from sql_rl.distill.counters import Counters
from sql_rl.distill.settle import Outcome
from sql_rl.teachers.prices import Price


class Total:
    """What a display shows (terminal.progress.Tally) of a run on many workers.

    A shard's counters count while its worker lives, and for good when it has ended: what a lost worker had settled is
    counted again from the journal.
    """

    def __init__(self, price: Price | None) -> None:
        self._price = price
        self._settled = Counters(price)
        self._under_way: dict[int, Counters] = {}
        self._counters = Counters(price)

    @property
    def accepted(self) -> int:
        return self._counters.accepted

    @property
    def done(self) -> int:
        return self._counters.done

    def status(self, seconds: float) -> str:
        return self._counters.status(seconds)

    def as_dict(self) -> dict[str, Any]:
        return self._counters.as_dict()

    def settled(self, outcome: Outcome, kept: bool) -> None:
        """A row that the journal settles."""
        self._settled.add(outcome, kept)
        self._counters.add(outcome, kept)

    def under_way(self, shards: dict[int, Counters]) -> None:
        """How far these shards are."""
        self._under_way |= shards
        self._add_up()

    def ended(self, shard: int, counters: Counters) -> None:
        self._under_way.pop(shard, None)
        self._settled.include(counters)
        self._add_up()

    def lost(self, shard: int) -> None:
        self._under_way.pop(shard, None)
        self._add_up()

    def _add_up(self) -> None:
        self._counters = Counters(self._price)
        for part in (self._settled, *self._under_way.values()):
            self._counters.include(part)
