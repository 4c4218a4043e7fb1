"""What the window did with its time."""

import pytest

from sql_rl.distill.limits.gauge import Gauge


def test_the_tail_does_not_count():
    gauge = Gauge(4)
    gauge.changed(4, False, 10.0)
    gauge.changed(2, False, 18.0)
    gauge.changed(4, False, 20.0)
    gauge.row_opened()
    gauge.changed(1, False, 25.0)
    gauge.changed(0, False, 99.0)
    assert gauge.fullness == pytest.approx((8 * 4 + 2 * 2) / (10 * 4))


def test_seconds_that_a_limit_held_back():
    gauge = Gauge(4)
    for now, held in [(0.0, False), (1.0, True), (3.0, True), (4.0, False), (9.0, True), (5.0, False)]:
        gauge.changed(1, held, now)
    assert gauge.throttled == 3.0, "and a clock that goes back takes nothing away"


def test_before_any_time_has_passed_it_is_full():
    gauge = Gauge(4)
    assert gauge.fullness == 1.0
    gauge.changed(1, False, 3.0)
    gauge.row_opened()
    assert gauge.fullness == 1.0
