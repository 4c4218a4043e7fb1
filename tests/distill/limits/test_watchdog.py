"""The stall watchdog: silence is counted second by second, whatever the clock does."""

import pytest

from sql_rl.distill.limits.watchdog import Watchdog

SECOND_BY_SECOND = [float(t) for t in range(200)]


def first_stall(clock: list[float], heard: set[float] = frozenset(), scheduled: set[float] = frozenset()) -> int | None:
    """At which look a stall of 100 s is seen."""
    watchdog = Watchdog(100.0)
    for look, now in enumerate(clock):
        if now in heard:
            watchdog.heard()
        if watchdog.stalled(now, scheduled=now in scheduled):
            return look
    return None


@pytest.mark.parametrize(
    ("clock", "heard", "scheduled", "look"),
    [
        (SECOND_BY_SECOND, set(), set(), 100),
        (SECOND_BY_SECOND, {70.0}, set(), 169),
        (SECOND_BY_SECOND, set(SECOND_BY_SECOND[::50]), set(), None),
        (SECOND_BY_SECOND, set(), set(SECOND_BY_SECOND[:60]), 159),
        ([0.0, 1.0, 1e6, 1e6 + 1], set(), set(), None),  # the machine slept for a week
        ([100.0, 101.0, 5.0, 6.0], set(), set(), None),  # the clock was set back
    ],
)
def test_when_silence_is_a_stall(clock: list[float], heard: set[float], scheduled: set[float], look: int | None):
    assert first_stall(clock, heard, scheduled) == look
