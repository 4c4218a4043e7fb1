"""The rule of "same answer": a table of decided cases, and properties that hold for all results."""

from collections import Counter
from itertools import permutations
from math import inf, isclose, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_rl.judge.compare import ABSOLUTE, RELATIVE, Alignment, Result, same_answer, same_multiset


def result(*rows):
    return Result(list(rows), len(rows[0]) if rows else 1)


SAME = [
    ("rows in another order", [(1,), (2,)], [(2,), (1,)]),
    ("0.6 and its neighbour", [(0.6,)], [(0.6000000000000001,)]),
    ("integer and float", [(5,)], [(5.0,)]),
    ("boolean and integer", [(1,)], [(True,)]),
    ("columns swapped", [(1, "a"), (2, "b")], [("a", 1), ("b", 2)]),
    ("a sum that cancels to zero", [(0,)], [(5.551115123125783e-17,)]),
    ("infinite", [(inf,), (-inf,)], [(-inf,), (inf,)]),
    ("not a number", [(nan, 1.0)], [(nan, 1.0000000001)]),
    ("NULL", [(None,)], [(None,)]),
    ("bytes", [(b"\x00",)], [(b"\x00",)]),
    ("big integers", [(2**60 + 1,)], [(2**60 + 1,)]),
    ("no rows", [], []),
    ("the same column twice", [(1, 1, 2)], [(2, 1, 1)]),
    ("floats whose sorted order differs by column", [(1.0, 9.0), (1.0000001, 2.0)], [(1.0000001, 9.0), (1.0, 2.0)]),
]
DIFFERENT = [
    ("duplicates lost", [(1,), (1,), (2,)], [(1,), (2,), (2,)], "values"),
    ("too few rows", [(1,), (1,)], [(1,)], "rows"),
    ("too many rows", [(1,)], [(1,), (1,)], "rows"),
    ("one column too many", [(1,)], [(1, 1)], "columns"),
    ("NULL and empty text", [(None,)], [("",)], "values"),
    ("NULL and zero", [(None,)], [(0,)], "values"),
    ("text and number", [(1,)], [("1",)], "values"),
    ("text and bytes", [("a",)], [(b"a",)], "values"),
    ("letter case", [("a",)], [("A",)], "values"),
    ("trailing space", [("a",)], [("a ",)], "values"),
    ("beyond the tolerance", [(1.0,)], [(1.00001,)], "values"),
    ("neighbouring big integers", [(2**53,)], [(2**53 + 1,)], "values"),
    ("neighbouring large integers", [(10_000_000,)], [(10_000_001,)], "values"),
    ("infinite and huge", [(inf,)], [(1e308,)], "values"),
    ("not a number and its name", [(nan,)], [("NaN",)], "values"),
    ("cells recombined", [(1, "a"), (2, "b")], [(1, "b"), (2, "a")], "values"),
    ("floats recombined", [(1.5, 2.5), (3.5, 4.5)], [(1.5, 4.5), (3.5, 2.5)], "values"),
]


@pytest.mark.parametrize(("gold", "predicted"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_same(gold, predicted):
    assert same_answer(result(*gold), result(*predicted)) is None


@pytest.mark.parametrize(
    ("gold", "predicted", "kind"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT]
)
def test_different(gold, predicted, kind):
    assert same_answer(result(*gold), result(*predicted)).kind == kind


@pytest.mark.parametrize(
    ("keys", "predicted", "kind"),
    [
        ([1, 2, 3], ["a", "b", "c"], None),
        ([1, 2, 3], ["b", "a", "c"], "order"),
        ([1, 1, 3], ["b", "a", "c"], None),
        ([1, 1, 3], ["c", "a", "b"], "order"),
        ([0.1 + 0.2, 0.3, 3], ["b", "a", "c"], None),
        ([1, 2, 3], ["a", "b", "d"], "values"),
        ([None, None, 1], ["b", "a", "c"], None),
    ],
)
def test_order(keys, predicted, kind):
    difference = same_answer(
        result(("a",), ("b",), ("c",)), result(*((x,) for x in predicted)), [(key,) for key in keys]
    )
    assert (difference and difference.kind) == kind


def test_order_that_only_another_order_of_columns_keeps():
    gold, predicted = result((1, 2), (2, 1)), result((2, 1), (1, 2))
    assert same_answer(gold, predicted, [(1,), (2,)]) is None
    assert same_answer(gold, predicted, [(1,), (2,)], "given").kind == "order"


def test_columns_as_given():
    assert same_answer(result((1, "a")), result(("a", 1)), column_order="given").kind == "values"


def test_one_order_of_columns_must_hold_on_every_database():
    straight, swapped = result((1, 2)), result((2, 1))
    assert Alignment().admit(straight, swapped) is None
    once = Alignment()
    assert once.admit(result((1, 1)), result((1, 1))) is None
    assert once.admit(straight, swapped) is None  # still free to choose
    assert once.columns == (1, 0)
    assert once.admit(straight, straight).kind == "values"  # no longer
    assert once.admit(straight, swapped) is None  # and a refusal leaves no trace


def test_no_rows_still_have_columns():
    assert same_answer(Result([], 2), Result([], 3)).kind == "columns"


def test_a_reason_never_tells_a_value():
    for _, gold, predicted, _ in DIFFERENT:
        reason = same_answer(result(*gold), result(*predicted)).reason
        for word in ("Infinity", "1e308", "1.5", "NaN", "'"):
            assert word not in reason


def test_wide_results_take_no_factorial_time():
    """Twelve columns that hold the same values in other arrangements: 479 million orders, one of them right."""
    rows = [tuple((5 * row + 7 * column + row * column) % 13 for column in range(12)) for row in range(13)]
    shuffled = [tuple(row[(place * 5 + 3) % 12] for place in range(12)) for row in rows]
    assert same_answer(result(*rows), result(*shuffled)) is None
    broken = [*shuffled[:-2], (*shuffled[-2][:-1], shuffled[-1][-1]), (*shuffled[-1][:-1], shuffled[-2][-1])]
    assert same_answer(result(*rows), result(*broken)).kind == "values"


# Cells that collide on purpose: near floats, equal numbers of several types, NULL beside '' and 0.
near = st.sampled_from([0.0, 1.0, 1 + 6e-7, 1 + 1.2e-6, 1 + 1.8e-6, 0.1 + 0.2, 0.3, 2.0])
cells = st.one_of(near, st.sampled_from([None, "", "a", 0, 1, 2, b"a"]))
tables = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[cells] * width), min_size=1, max_size=6))


def pairs_off(gold, predicted):
    """The rule, word for word: some pairing of the rows has equal cells throughout. Factorial."""
    floating = {p for rows in (gold, predicted) for row in rows for p, cell in enumerate(row) if type(cell) is float}

    def equal(place, one, other):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        if numbers and place in floating:
            return isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        return one == other

    return len(gold) == len(predicted) and any(
        all(
            equal(p, a, b)
            for one, other in zip(gold, order, strict=True)
            for p, (a, b) in enumerate(zip(one, other, strict=True))
        )
        for order in permutations(predicted)
    )


@given(tables, st.data())
@settings(max_examples=300, deadline=None)
def test_multisets_are_the_same_exactly_if_they_pair_off(gold, data):
    width = len(gold[0])
    predicted = data.draw(
        st.one_of(
            st.permutations(gold),
            st.lists(st.tuples(*[cells] * width), min_size=len(gold), max_size=len(gold)),
            st.permutations([tuple(data.draw(near) if type(c) is float else c for c in row) for row in gold]),
        )
    )
    assert same_multiset(gold, predicted) == pairs_off(gold, predicted)


@given(tables, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_shuffle_of_rows_and_columns_is_the_same_answer(rows, random):
    columns = list(range(len(rows[0])))
    random.shuffle(columns)
    shuffled = [tuple(row[place] for place in columns) for row in rows]
    random.shuffle(shuffled)
    assert same_answer(result(*rows), result(*shuffled)) is None


@given(tables, tables)
@settings(deadline=None)
def test_the_rule_is_symmetric(one, other):
    forth, back = same_answer(result(*one), result(*other)), same_answer(result(*other), result(*one))
    assert (forth is None) == (back is None)


@given(st.lists(st.tuples(st.integers(), st.text(max_size=2)), min_size=1, max_size=8), st.data())
@settings(deadline=None)
def test_without_floats_it_is_multiset_equality(rows, data):
    other = data.draw(st.lists(st.sampled_from(rows), min_size=len(rows), max_size=len(rows)))
    assert same_multiset(rows, other) == (Counter(rows) == Counter(other))


def test_large_results_compare_fast_enough_for_a_reward():
    """100,000 rows with two float columns that need more than the exact comparison: seconds, not hours."""
    rows = [(i % 1000, i / 7, i / 3) for i in range(100_000)]
    near_rows = [(k, x * (1 + 1e-9), y) for k, x, y in reversed(rows)]
    assert same_multiset(rows, near_rows)
