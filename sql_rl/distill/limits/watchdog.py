"""A run that has fallen silent: requests are under way or waiting, and nothing will ever wake them."""

LONGEST_STEP = 5.0  # seconds between two looks, at most; more means that the machine slept, not the run


class Watchdog:
    """Counts silent seconds. timeout: so many of them are a stall.

    Time is added up in steps between two looks, none longer than LONGEST_STEP and none below zero, so that a machine
    that was suspended, or a clock that jumps, is no stall.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._silent = 0.0
        self._looked: float | None = None

    def heard(self) -> None:
        """An answer or a failure came in, or a request went out."""
        self._silent = 0.0

    def stalled(self, now: float, scheduled: bool) -> bool:
        """To be asked every second or so. scheduled: something is going to happen by itself (a pause, a back-off)."""
        step = 0.0 if self._looked is None else min(max(0.0, now - self._looked), LONGEST_STEP)
        self._looked = now
        self._silent = 0.0 if scheduled else self._silent + step
        return self._silent >= self.timeout
