"""The purse: --max-cost among workers, so that all of them together never pass it. Pure.

Each second a worker hands back what it has neither spent nor set aside for a request on the wire, and is lent a new
part of what is then in the purse. What a worker holds is never in the purse, so nothing can be spent twice.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A worker's money, in dollars.

    returned: handed back just now. free: what it holds and could spend. reserved: set aside for what is on the wire.
    short: what its next request needs while nothing is on the wire; None while it waits for no money.
    busy: it has rows to work on.
    """

    returned: float = 0.0
    free: float = 0.0
    reserved: float = 0.0
    short: float | None = None
    busy: bool = True


class Purse:
    """money: dollars that may still be spent. workers: how many share it."""

    def __init__(self, money: float, workers: int) -> None:
        self.money = money
        self._workers = workers
        self._lent: dict[str, float] = {}  # lent and not handed back: spent, set aside or free
        self._on_the_way: dict[str, float] = {}  # lent, and not told of yet
        self._accounts: dict[str, Account] = {}

    def lend(self, worker: str) -> float:
        """What the worker gets with this beat; it hands back what it has not used.

        Nothing while it has nothing to do. A worker that is short gets what its next request needs or nothing, so
        that what is left comes together in one place.
        """
        account = self._accounts.get(worker, Account())
        part = self.money / self._workers
        if not account.busy:
            part = 0.0
        elif account.short is not None:
            part = max(part, account.short) if account.short <= self.money else 0.0
        self.money -= part
        self._on_the_way[worker] = part
        self._lent[worker] = self._lent.get(worker, 0.0) + part
        return part

    def told(self, worker: str, account: Account) -> None:
        """The worker's answer to the last `lend`."""
        self._accounts[worker] = account
        self._on_the_way[worker] = 0.0
        self._lent[worker] -= account.returned
        self.money += account.returned

    def closed(self, worker: str, spent: float) -> None:
        """The worker is no more, and its journal tells what it spent in all.

        What it had on the wire when it was last heard may have been billed, and is not lent again.
        """
        account = self._accounts.pop(worker, Account())
        self._on_the_way.pop(worker, None)
        self.money += max(0.0, self._lent.pop(worker, 0.0) - spent - account.reserved)

    @property
    def left(self) -> float:
        """What is in the purse, on the way to the workers, or free with them as far as they have told."""
        held = sum(account.free for account in self._accounts.values())
        return self.money + sum(self._on_the_way.values()) + held

    @property
    def exhausted(self) -> bool:
        """Can nobody's next request be paid, even with what all of them hold together?"""
        accounts = self._accounts.values()
        needs = [account.short for account in accounts if account.short is not None]
        if not needs or any(account.busy and account.short is None for account in accounts):
            return False
        return self.left < min(needs)
