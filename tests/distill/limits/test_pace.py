"""Pacing by headers, against a provider that keeps a bucket of its own and tells what is left of it."""

import heapq
import random

import pytest

from sql_rl.distill.limits.bucket import Bucket
from sql_rl.distill.limits.pace import Pace
from sql_rl.teachers.quota import Quota


class Provider:
    """Refuses what is above its limit a minute, and tells with each answer what is left."""

    def __init__(self, limit: int) -> None:
        self.bucket = Bucket(limit, limit / 60)
        self.refused = self.served = 0

    def ask(self, now: float) -> Quota:
        if self.bucket.delay(1, now):
            self.refused += 1
        else:
            self.bucket.take(1, now)
            self.served += 1
        left = self.bucket.capacity - self.bucket.delay(self.bucket.capacity, now) * self.bucket.rate
        return Quota(self.bucket.capacity, int(left), (self.bucket.capacity - left) / self.bucket.rate)


def simulate(limit: int, window: int, latency: tuple[float, float], seconds: float) -> Provider:
    """A client that keeps `window` requests in flight as far as its pace allows it."""
    provider, pace, draw = Provider(limit), Pace(), random.Random(0)
    now, answers = 0.0, []
    while now < seconds:
        if len(answers) < window and not pace.delay(1, now):
            taken = pace.take(1, now)
            heapq.heappush(answers, (now + draw.uniform(*latency), taken, now, provider.ask(now)))
            continue
        wake = [now + pace.delay(1, now)] if len(answers) < window else []
        now = min([answers[0][0], *wake] if answers else wake)
        while answers and answers[0][0] <= now:
            _, taken, sent_at, quota = heapq.heappop(answers)
            pace.told(quota, taken, sent_at, now)
    return provider


@pytest.mark.parametrize("latency", [(0.5, 0.5), (1.0, 20.0)])
@pytest.mark.parametrize(("limit", "window"), [(60, 8), (500, 64), (500, 256), (3000, 256)])
def test_nothing_is_refused_and_the_limit_is_used(limit: int, window: int, latency: tuple[float, float]):
    provider = simulate(limit, window, latency, seconds=600)
    possible = min(limit / 60, window / (sum(latency) / 2)) * 600
    assert provider.refused == 0
    assert provider.served >= 0.9 * possible


def test_without_headers_everything_passes():
    pace = Pace()
    assert pace.take(5, 0.0) == 5
    assert pace.delay(1e9, 0.0) == 0.0


@pytest.mark.parametrize(
    ("quota", "delay"),
    [
        (Quota(100, 100, 0.0), 0.0),  # nothing is used up
        (Quota(100, 50, 30.0), 0.0),
        (Quota(100, 6, 56.4), 0.0),  # the last above the reserve
        (Quota(100, 5, 57.0), 0.6),
        (Quota(100, 0, 60.0), 3.6),
        (Quota(14400, 0, 86400.0), 0.0),  # a day's limit ends the run, it does not make it crawl
    ],
)
def test_what_headers_say_decides_when(quota: Quota, delay: float):
    pace = Pace()
    pace.told(quota, pace.take(1, 0.0), 0.0, 0.0)
    assert pace.delay(1, 0.0) == pytest.approx(delay)


def test_what_was_sent_meanwhile_is_not_in_the_headers_yet():
    pace = Pace()
    first = pace.take(1, 0.0)
    for _ in range(40):
        pace.take(1, 0.0)
    pace.told(Quota(100, 45, 33.0), first, 0.0, 0.0)
    assert pace.delay(1, 0.0) == pytest.approx(0.6), "45 were left, 40 are on their way, 5 are the reserve"


def test_an_answer_that_was_overtaken_tells_nothing_new():
    pace = Pace()
    early, late = pace.take(1, 0.0), pace.take(1, 0.0)
    pace.told(Quota(100, 0, 60.0), late, 0.0, 1.0)
    pace.told(Quota(100, 99, 0.6), early, 0.0, 2.0)
    assert pace.delay(1, 2.0) > 0
