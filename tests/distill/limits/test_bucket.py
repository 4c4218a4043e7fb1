"""Token buckets: no minute ever gets more than its limit, and the limit is used."""

import pytest

from sql_rl.distill.limits.bucket import Bucket, per_minute


def sent(bucket: Bucket, amount: float, seconds: float) -> list[float]:
    """When a client that always has something to send would send it."""
    now, times = 0.0, []
    while now < seconds:
        if delay := bucket.delay(amount, now):
            now += delay
            continue
        bucket.take(amount, now)
        times.append(now)
    return times


@pytest.mark.parametrize("limit", [1, 2, 7, 30, 60, 500, 10_000])
def test_no_minute_gets_more_than_its_limit_and_few_get_less(limit: int):
    times = sent(per_minute(limit), 1, 300)
    assert all(later - first > 60 - 1e-6 for first, later in zip(times, times[limit:], strict=False))
    assert len(times) >= 0.94 * 5 * limit


@pytest.mark.parametrize(("limit", "at_once"), [(1, 1), (10, 1), (100, 5), (6000, 300)])
def test_a_minutes_budget_does_not_go_at_once(limit: int, at_once: int):
    assert sum(t == 0 for t in sent(per_minute(limit), 1, 1)) == at_once


@pytest.mark.parametrize("tokens", [40, 299, 300, 2500])
def test_tokens_overshoot_by_one_request_at_most(tokens: int):
    times = sent(per_minute(6000), tokens, 600)
    most = max(sum(tokens for t in times if start <= t < start + 60 - 1e-6) for start in times)
    assert most <= 6000 + tokens
    assert tokens * len(times) >= 0.94 * 10 * 6000


def test_what_was_taken_too_much_is_put_back():
    bucket = per_minute(6000)
    bucket.take(2300, 0.0)
    assert bucket.delay(1, 0.0) == pytest.approx(2001 / bucket.rate)
    bucket.put_back(2100, 0.0)
    assert bucket.delay(100, 0.0) == 0.0
    bucket.put_back(1e9, 0.0)
    assert bucket.delay(1e9, 0.0) == 0.0, "never above the capacity, and more than that waits for it only"


@pytest.mark.parametrize(("leap", "delay"), [(-100.0, 1.0), (0.0, 1.0), (0.5, 0.5), (1e9, 0.0)])
def test_a_clock_that_jumps_breaks_nothing(leap: float, delay: float):
    bucket = Bucket(capacity=10, rate=1)
    bucket.take(10, 100.0)
    assert bucket.delay(1, 100.0 + leap) == pytest.approx(delay)
    bucket.take(1, 100.0 + leap)
    assert bucket.delay(10, 100.0 + leap) <= 11
