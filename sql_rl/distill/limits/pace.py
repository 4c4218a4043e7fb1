"""Pacing by what the provider itself says is left, so that it need not refuse anything."""

import math

from sql_rl.distill.limits.bucket import Bucket
from sql_rl.teachers.quota import Quota

RESERVE = 0.05  # of the limit stays untouched: other clients of the same key, and tokens that were guessed too low
# Seconds. A limit that takes longer to come back (a day's) is not paced: it is used up at full speed, and the
# provider's refusal then ends the run, which is better than a run that crawls for hours.
LONGEST_PERIOD = 600.0


class Pace:
    """A copy of the provider's own bucket, corrected by each answer's headers. Without any it lets everything pass.

    taken: units that were sent, ever. A request remembers its value (`take` returns it), and brings it along with what
    the headers of its answer say: what was sent since then is not counted in them yet.
    """

    def __init__(self) -> None:
        self._bucket: Bucket | None = None
        self._told = -1.0
        self.taken = 0.0

    def delay(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be sent."""
        if self._bucket is None:
            return 0.0
        return self._bucket.delay(amount + RESERVE * self._bucket.capacity, now)

    def take(self, amount: float, now: float) -> float:
        """Notes that `amount` is sent now; returns `taken`."""
        if self._bucket is not None:
            self._bucket.take(amount, now)
        self.taken += amount
        return self.taken

    def told(self, quota: Quota, taken: float, sent_at: float, now: float) -> None:
        """The headers of the answer to a request that was sent at `sent_at` and made the total `taken`.

        Answers come in any order; what a later request was told stands.
        """
        if taken < self._told:
            return
        self._told = taken
        if math.isinf(quota.rate) or quota.limit / quota.rate > LONGEST_PERIOD:
            self._bucket = None
            return
        back = quota.rate * max(0.0, now - sent_at)
        level = min(quota.limit, quota.remaining - (self.taken - taken) + back)
        self._bucket = Bucket(quota.limit, quota.rate, level, now)
