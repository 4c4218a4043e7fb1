"""Token buckets (Turner, "New directions in communications", 1986): hard limits a minute, kept smoothly."""

BURST = 0.05  # of a minute's budget may go at once
ROUNDING = 1e-9  # what floats may be short by


class Bucket:
    """Holds at most `capacity`, fills by `rate` a second, starts with `level` (full without one).

    A clock that goes back adds nothing, one that leaps adds at most what fits. An amount above the capacity is let
    through at a full bucket and leaves a debt.
    """

    def __init__(self, capacity: float, rate: float, level: float | None = None, now: float = 0.0) -> None:
        self.capacity, self.rate = capacity, rate
        self._level, self._at = capacity if level is None else level, now

    def delay(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken, 0.0 if it may be taken now."""
        short = min(amount, self.capacity) - self._filled(now)
        return short / self.rate if short > ROUNDING else 0.0

    def take(self, amount: float, now: float) -> None:
        """Takes `amount`; below zero where it was not there, so that what follows waits for it."""
        self._level = self._filled(now) - amount

    def put_back(self, amount: float, now: float) -> None:
        """Returns what was taken too much; a negative amount takes what was taken too little."""
        self._level = min(self.capacity, self._filled(now) + amount)

    def _filled(self, now: float) -> float:
        if now > self._at:
            self._level = min(self.capacity, self._level + self.rate * (now - self._at))
        self._at = now
        return self._level


def per_minute(limit: float) -> Bucket:
    """A bucket that lets through at most `limit` units in any 60 seconds, wherever the minute is cut.

    What flows in during the minute and what may go at once share the budget. Amounts that are larger than the burst
    (tokens) may overshoot by one of them.
    """
    burst = max(1.0, BURST * limit)
    return Bucket(burst, (limit + 1 - burst) / 60)
