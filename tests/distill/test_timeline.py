"""Answers over time: few numbers, however long the run."""

import pytest

from sql_rl.distill.limits.timeline import MOST, Timeline


def test_answers_are_put_into_buckets():
    timeline = Timeline()
    timeline.answered(sent=10.0, now=10.2, in_flight=1, limit=4)
    timeline.answered(sent=10.0, now=10.6, in_flight=3, limit=4)
    timeline.answered(sent=11.0, now=12.5, in_flight=2, limit=2)
    assert timeline.report() == {
        "seconds": [0.5, 2.5],
        "answers_per_second": [2.0, 1.0],
        "latency": [0.4, 1.5],
        "longest": [0.6, 1.5],
        "in_flight": [2.0, 2.0],
        "limit": [4.0, 2.0],
    }


def test_a_day_is_as_long_as_a_minute():
    timeline = Timeline()
    for second in range(0, 86_400, 7):
        timeline.answered(sent=float(second), now=second + 0.5, in_flight=5, limit=8)
    found = timeline.report()
    assert MOST / 2 <= len(found["seconds"]) <= MOST
    assert set(found["in_flight"]) == {5.0}
    length = found["seconds"][1] - found["seconds"][0]
    answers = sum(found["answers_per_second"]) * length
    assert answers == pytest.approx(86_400 / 7, rel=0.01), "each is counted once"


def test_nothing_answered_is_nothing_to_show():
    assert Timeline().report()["seconds"] == []
