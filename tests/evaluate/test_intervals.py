"""Intervals: published values, the ends, symmetry, and that they cover what they promise."""

import random

import pytest

from sql_rl.evaluate.intervals import mcnemar, paired, wilson


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(correct, total, low, high):
    assert wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("correct", "total"), [(-1, 5), (6, 5)])
def test_no_proportion(correct, total):
    with pytest.raises(ValueError, match="no proportion"):
        wilson(correct, total)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (0, 1, 1.0), (0, 6, 0.03125), (5, 5, 1.0), (2, 10, 0.03857421875), (10, 2, 0.03857421875)],
)
def test_mcnemar(only_first, only_second, p):
    assert mcnemar(only_first, only_second) == pytest.approx(p)


def pairs(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    outcomes = [(True, True)] * both + [(True, False)] * only_first
    outcomes += [(False, True)] * only_second + [(False, False)] * neither
    return [a for a, _ in outcomes], [b for _, b in outcomes]


@pytest.mark.parametrize(
    ("counts", "difference", "low", "high"),
    [
        # Worked by hand from the formulas; the margins are those of Wilson's intervals above.
        ((0, 0, 20, 0), 1.0, 0.7721, 1.0),  # two independent samples at the ends: 1 - sqrt(2) * 0.1611
        ((20, 0, 0, 0), 0.0, -0.1611, 0.1611),  # no correlation is known there, and each is at its end
        ((0, 0, 0, 0), 0.0, -1.0, 1.0),
    ],
)
def test_paired_difference(counts, difference, low, high):
    found = paired(*pairs(*counts))
    assert (found.both, found.only_first, found.only_second, found.neither) == counts
    assert found.difference == difference
    assert found.ci95 == pytest.approx((low, high), abs=2e-4)


def test_the_other_way_round_is_the_mirror_image():
    first, second = pairs(40, 3, 17, 40)
    one, other = paired(first, second), paired(second, first)
    assert one.difference == pytest.approx(0.14)
    assert one.ci95 == pytest.approx(tuple(-bound for bound in reversed(other.ci95)))
    assert one.p == other.p
    assert one.ci95[0] > 0  # pairs that mostly agree tell a small difference


def test_pairs_of_unequal_length():
    with pytest.raises(ValueError, match="zip"):
        paired([True], [True, False])


def test_the_interval_covers_the_truth_about_95_times_in_100():
    chance, covered = random.Random(1), 0
    weights = (0.45, 0.1, 0.2, 0.25)  # the true difference is 0.1
    for _ in range(1000):
        drawn = chance.choices(range(4), weights, k=100)
        low, high = paired(*pairs(*(drawn.count(kind) for kind in range(4)))).ci95
        covered += low <= 0.1 <= high
    assert 935 <= covered <= 975
