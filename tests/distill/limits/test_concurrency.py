"""The number in flight, against simulated servers that take so many at once."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sql_rl.distill.limits.concurrency import Concurrency
from sql_rl.distill.limits.plateau import Plateau

LATENCY, REFUSAL = 5.0, 0.05  # seconds until an answer, until a refusal


@dataclass
class Simulated:
    """A client that always has something to send, and what came of it. history: the limit after each round trip."""

    served: int = 0
    refused: int = 0
    history: list[int] = field(default_factory=list)


def simulate(ceiling: int, accepts: Callable[[int, float], bool], seconds: float) -> Simulated:
    """accepts: (requests being served, now) -> whether one more is."""
    concurrency, result, now, in_service = Concurrency(ceiling), Simulated(), 0.0, 0
    events: list[tuple[float, int, bool]] = []
    number = 0
    while now < seconds:
        while len(events) < concurrency.limit(now):
            number += 1
            accepted = accepts(in_service, now)
            in_service += accepted
            heapq.heappush(events, (now + (LATENCY if accepted else REFUSAL), number, accepted))
        at = events[0][0] if concurrency.grows_at is None else min(events[0][0], concurrency.grows_at)
        if at // LATENCY > now // LATENCY:
            result.history.append(concurrency.limit(now))
        now = at
        if events[0][0] > now:
            continue
        _, _, accepted = heapq.heappop(events)
        if accepted:
            in_service -= 1
            result.served += 1
            concurrency.answered(len(events) + 1)
        else:
            result.refused += 1
            concurrency.refused()
    return result


def capacity(n: int) -> Callable[[int, float], bool]:
    return lambda in_service, now: in_service < n


@pytest.mark.parametrize("ceiling", [64, 256, 4096])
@pytest.mark.parametrize("n", [1, 4, 20, 100])
def test_it_settles_at_what_the_server_takes(ceiling: int, n: int):
    result = simulate(ceiling, capacity(n), seconds=100 * LATENCY)
    settled = result.history[20:]
    assert min(n, ceiling) - 1 <= min(settled), "it does not starve"
    assert max(settled) <= min(n, ceiling) + 2, "and does not swing"
    assert result.served >= 0.95 * min(n, ceiling) * 100 - n
    late = simulate(ceiling, capacity(n), seconds=200 * LATENCY).refused - result.refused
    assert late <= 100 * 4, "a few refusals in each round trip"


@pytest.mark.parametrize("ceiling", [1, 8, 64, 256, 1000])
def test_a_server_that_takes_everything_gets_the_whole_window(ceiling: int):
    concurrency = Concurrency(ceiling)
    assert concurrency.limit(50.0) == min(64, ceiling)
    assert concurrency.limit(50.0 + 0.05) == ceiling
    assert concurrency.grows_at is None


def test_the_quick_start_costs_a_hundredth_of_four_round_trips():
    concurrency = Concurrency(256)
    steps = [concurrency.limit(t / 1000) for t in range(2000)]
    assert sum(steps) / (256 * 2000) > 0.99
    assert concurrency.limit(2.0) == 256


def test_a_quick_start_ends_with_the_first_refusal():
    concurrency = Concurrency(256)
    assert concurrency.limit(0.0) == 64
    concurrency.refused()
    assert concurrency.grows_at is None
    assert concurrency.limit(10.0) == 63


def test_a_round_trip_of_refusals_costs_three_tenths():
    concurrency = Concurrency(64)
    concurrency.limit(0.0)
    concurrency.limit(1.0)
    for _ in range(64):
        concurrency.refused()
    assert concurrency.limit(1.0) == 44


def test_a_tenth_of_refusals_by_chance_leaves_a_good_part_of_the_window():
    chance = random.Random(0)
    result = simulate(64, lambda in_service, now: chance.random() > 0.1, seconds=200 * LATENCY)
    assert 24 <= sum(result.history[20:]) / len(result.history[20:]) <= 48


def test_it_finds_back_to_a_server_that_has_recovered():
    def crowded_for_a_while(in_service: int, now: float) -> bool:
        return in_service < (4 if now < 50 * LATENCY else 10_000)

    history = simulate(256, crowded_for_a_while, seconds=100 * LATENCY).history
    assert max(history[20:50]) <= 6
    assert history[65] == 256, "doubling steps: fifteen round trips"


def test_a_limit_that_is_not_reached_does_not_grow():
    concurrency = Concurrency(64)
    for _ in range(100):
        concurrency.refused()
    limit = concurrency.limit(0.0)
    for _ in range(1000):
        concurrency.answered(limit - 1)
    assert concurrency.limit(0.0) == limit
    concurrency.answered(limit)
    concurrency.answered(limit)
    assert concurrency.limit(0.0) <= limit + 1


def test_it_never_falls_below_one():
    concurrency = Concurrency(64)
    for _ in range(1000):
        concurrency.refused()
    assert concurrency.limit(0.0) == 1


def test_a_ceiling_that_moves_takes_the_limit_along():
    concurrency = Concurrency(256)
    concurrency.limit(0.0)
    assert concurrency.limit(1.0) == 256
    concurrency.bound(512)
    assert concurrency.limit(1.0) == 512
    concurrency.bound(256)
    assert concurrency.limit(1.0) == 256
    concurrency.refused()
    concurrency.bound(512)
    assert concurrency.limit(1.0) == 255, "a limit that refusals made is no ceiling's business"


def opened(size: int, most_a_second: float, latency: float) -> int:
    """How far the window opens against a server that answers so many a second at most, and never refuses."""
    plateau, now, free_at = Plateau(size), 0.0, 0.0
    answers: list[float] = []
    for _ in range(60_000):
        while len(answers) < plateau.ceiling:
            free_at = max(free_at + 1 / most_a_second, now)
            heapq.heappush(answers, max(free_at, now + latency))
        now = heapq.heappop(answers)
        plateau.answered(len(answers) + 1, now)
    return plateau.ceiling


@pytest.mark.parametrize(
    ("size", "most_a_second", "ceiling"),
    [
        (64, 1e9, 64),
        (300, 1e9, 300),
        (4096, 1e9, 4096),
        (4096, 100, 256),  # 50 at once are all it can do
        (4096, 1500, 1024),  # 750 at once
        (1000, 1500, 1000),
    ],
)
def test_it_opens_as_far_as_throughput_rises(size: int, most_a_second: float, ceiling: int):
    assert opened(size, most_a_second, latency=0.5) == ceiling


def test_a_window_that_is_not_full_is_not_measured():
    plateau = Plateau(1024)
    for i in range(10_000):
        plateau.answered(100, i / 100)
    assert plateau.ceiling == 256
