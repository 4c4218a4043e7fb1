"""What the window did with its time: how full it was, and how long the limits held it back."""


class Gauge:
    """Adds up, from what is told at each change. size: requests that may be in flight at best."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._first: float | None = None
        self._at = 0.0
        self._in_flight = 0
        self._held = False
        self._area = 0.0  # request-seconds until now
        self._measured = (0.0, 0.0)  # seconds and request-seconds until a row was last opened
        self.throttled = 0.0  # seconds in which a request waited for a limit while a slot was free

    def changed(self, in_flight: int, held: bool, now: float) -> None:
        """So many are in flight from now on; held: a request waits, and not for a slot."""
        if self._first is None:
            self._first = self._at = now
        passed = max(0.0, now - self._at)
        self._area += passed * self._in_flight
        self.throttled += passed * self._held
        self._at, self._in_flight, self._held = max(now, self._at), in_flight, held

    def row_opened(self) -> None:
        """The first request of a row was sent at the last change: until here there was work enough for the window."""
        if self._first is not None:
            self._measured = (self._at - self._first, self._area)

    @property
    def fullness(self) -> float:
        """The share of the window that was in flight, from the first request to the tail; 1.0 before any time passed.

        The tail begins when the last row is opened: then nothing is left to fill the window with.
        """
        seconds, area = self._measured
        return area / (seconds * self._size) if seconds else 1.0
