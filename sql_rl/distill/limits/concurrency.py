"""How many requests may be in flight: additive increase, multiplicative decrease, after a quick start.

Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion avoidance" (1989), with the decrease in
proportion to the share that was refused (DCTCP, Alizadeh et al., SIGCOMM 2010), so that a tenth of refusals by chance
costs a little, and a wall costs three tenths in each round trip (CUBIC's factor, RFC 9438).
"""

START = 64  # in flight at once in the first moment; doubled every
DOUBLING = 0.01  # seconds without a refusal: connections open one after another, and 256 are reached in 20 ms
PER_REFUSAL = 0.3  # of a slot: so much of the limit goes in a round trip in which everything is refused


class Concurrency:
    """The limit, between 1 and `ceiling`.

    Each refusal takes a part of a slot, and counts once: a round trip costs no more than that part of the limit. Each
    answer gives `step / limit`, so `step` a round trip; the step is one slot, and doubles with each round trip that
    goes without a refusal, up to the limit itself (slow start): a run soon finds back to a server that has recovered.

    grows_at: when the limit grows by itself, in the quick start; None otherwise.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self._limit = float(min(START, ceiling))
        self._starting = self._limit < ceiling
        self._step = 1.0
        self._quiet = 0.0  # round trips since the step changed
        self.grows_at: float | None = None

    def limit(self, now: float) -> int:
        """Requests that may be in flight now. The quick start begins with the first call."""
        if self._starting and self.grows_at is None:
            self.grows_at = now + DOUBLING
        while self.grows_at is not None and now >= self.grows_at:
            self._limit = min(2 * self._limit, float(self.ceiling))
            self.grows_at = self.grows_at + DOUBLING if self._limit < self.ceiling else None
            self._starting = self.grows_at is not None
        return int(self._limit)

    def answered(self, in_flight: int) -> None:
        """An answer came, with so many in flight. A limit that was not reached is not tested, and does not grow."""
        if self._starting or self._limit >= self.ceiling or in_flight < int(self._limit):
            return
        self._quiet += 1 / self._limit
        if self._quiet >= 1:
            self._quiet, self._step = 0.0, min(2 * self._step, self._limit)
        self._limit = min(self.ceiling, self._limit + self._step / self._limit)

    def refused(self) -> None:
        """The server took a request for one too many, or did not answer it in time."""
        self._starting, self.grows_at = False, None
        self._quiet, self._step = 0.0, 1.0
        self._limit = max(1.0, self._limit - PER_REFUSAL)

    def bound(self, ceiling: int) -> None:
        """Another ceiling. A limit that stood at the old one, or above the new one, goes along."""
        if self._limit >= min(self.ceiling, ceiling):
            self._limit = float(ceiling)
        self.ceiling = ceiling
