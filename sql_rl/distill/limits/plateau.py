"""How far the window opens against a server that never refuses: no further than its throughput rises with it."""

TRUSTED = 256  # in flight at once without a question; a server that can do less queues them without harm
GAIN = 1.1  # twice as many in flight must bring so many times as many answers a second


class Plateau:
    """ceiling: TRUSTED, or the window's size if that is less; doubled while answers come faster for it.

    Each ceiling is held for two windows of answers: the first fills it, the second is timed. Where it brought nothing
    it is taken back for good. A window that was not full says nothing: it is measured anew.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.ceiling = min(size, TRUSTED)
        self._best = 0.0  # answers a second at half the ceiling
        self._left: int | None = None if self.ceiling == size else self.ceiling  # answers to come in this part
        self._since: float | None = None  # when the timed part began, None in the part before it

    def answered(self, in_flight: int, now: float) -> None:
        """An answer came. in_flight: how many there were with it."""
        if self._left is None:
            return
        if in_flight < 0.9 * self.ceiling:
            self._left, self._since = self.ceiling, None
            return
        self._left -= 1
        if self._left > 0:
            return
        if self._since is None:
            self._left, self._since = self.ceiling, now
            return
        rate = self.ceiling / max(now - self._since, 1e-9)
        self._since = None
        if rate < GAIN * self._best:
            self.ceiling, self._left = self.ceiling // 2, None
            return
        self._best = rate
        at_end = self.ceiling == self._size
        self.ceiling = min(2 * self.ceiling, self._size)
        self._left = None if at_end else self.ceiling
