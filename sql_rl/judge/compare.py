"""Are two results the same answer? Pure functions over rows; no database in here.

The rule. Rows compare as a multiset; where an order is asked they compare in that order, and rows that tie on its
keys may swap. Numbers are equal by value (1, 1.0 and True are one number); in a column where either result holds a
float, numbers within a relative 1e-6 are equal (or 1e-12 of each other, for sums that cancel to zero). A column of
integers compares exactly, beyond 2**53 too. NULL is only NULL: not '', not 0. Text equals text, bytes equal bytes;
'1' is not 1. Column names do not count. Columns may stand in another order if one order holds on every database.

"Within 1e-6" is no equivalence (a ~ b and b ~ c do not give a ~ c), so buckets would have edges: two multisets are the
same here exactly if their rows can be paired off. For one column, pairing in sorted order decides it, since what is
close to a number is an interval that moves with it; for more, a bipartite matching does (Kuhn's augmenting paths).
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose, isnan
from typing import Any, Literal

RELATIVE, ABSOLUTE = 1e-6, 1e-12

Row = tuple[Any, ...]
Vector = tuple[float, ...]
Order = Sequence[Row] | None  # the sort keys of each row, in the order of the rows; None where no order is asked
ColumnOrder = Literal["any", "given"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a query returned. rows: tuples of None, int, float, str or bytes; columns: how many, also of no rows."""

    rows: Sequence[Row]
    columns: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How a result differs from the gold's, in shape only: `reason` never holds a value of the gold's result."""

    kind: Literal["columns", "rows", "order", "values"]
    reason: str


def same_answer(
    gold: Result, predicted: Result, order: Order = None, column_order: ColumnOrder = "any"
) -> Difference | None:
    """How the predicted result differs from the gold's on one database, None if it is the same answer.

    order: the gold's sort keys by row where its outermost query has ORDER BY. column_order: 'any' lets the
    columns stand in another order, 'given' does not. Several databases: `Alignment`.
    """
    return Alignment(column_order).admit(gold, predicted, order)


class Alignment:
    """One prediction compared with the gold on several databases, under one order of columns for all of them.

    It starts with the columns as they are, and looks for another order only where these fail; an order that is
    found is checked against every database seen so far.
    """

    def __init__(self, column_order: ColumnOrder = "any") -> None:
        self.columns: tuple[int, ...] = ()  # the predicted column for each of the gold's
        self._any_order = column_order == "any"
        self._seen: list[tuple[Result, Result, Order]] = []

    def admit(self, gold: Result, predicted: Result, order: Order = None) -> Difference | None:
        """None if the results are the same answer here under an order of columns that also holds on all
        databases admitted before; else the difference, and the state stays as it was."""
        if predicted.columns != gold.columns:
            return Difference("columns", f"{predicted.columns} columns instead of {gold.columns}")
        if len(predicted.rows) < len(gold.rows):
            return Difference("rows", f"too few rows: {len(predicted.rows)} instead of {len(gold.rows)}")
        if len(predicted.rows) > len(gold.rows):
            return Difference("rows", f"too many rows: more than {len(gold.rows)}")
        if not self._seen:
            self.columns = tuple(range(gold.columns))
        databases = [*self._seen, (gold, predicted, order)]
        if not _same_rows(gold.rows, _pick(predicted.rows, self.columns), order):
            found = next(column_orders(databases), None) if self._any_order and gold.columns > 1 else None
            if found is None:
                return _difference(gold, predicted, order, self._any_order)
            self.columns = found
        self._seen = databases
        return None


def column_orders(databases: Sequence[tuple[Result, Result, Order]]) -> Iterator[tuple[int, ...]]:
    """The orders of the predicted columns under which the results are the same on every database, lazily.

    databases: gold, predicted and order for each, all of the same width. Backtracks over the columns that hold
    the gold column's values, and extends an order only if its columns so far are the same rows everywhere.
    Of predicted columns that are alike on every database only the first order is given.
    """
    width = databases[0][0].columns
    predicted_columns = [
        tuple(tuple(row[place] for row in predicted.rows) for _, predicted, _ in databases) for place in range(width)
    ]
    candidates = [
        [place for place in range(width) if all(_same_column(g, p, column, place) for g, p, _ in databases)]
        for column in range(width)
    ]

    def extend(chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(chosen) == width:
            yield chosen
            return
        tried: list[Any] = []
        for place in candidates[len(chosen)]:
            if place in chosen or predicted_columns[place] in tried:
                continue
            tried.append(predicted_columns[place])
            longer = (*chosen, place)
            if all(
                _same_rows([row[: len(longer)] for row in gold.rows], _pick(predicted.rows, longer), order)
                for gold, predicted, order in databases
            ):
                yield from extend(longer)

    yield from extend(())


def same_multiset(gold: Sequence[Row], predicted: Sequence[Row]) -> bool:
    """Can the rows be paired off so that the cells of each pair are equal? See the rule above."""
    if len(gold) != len(predicted):
        return False
    if Counter(gold) == Counter(predicted):
        return True
    floating = [
        place
        for place in range(len(gold[0]))
        if any(type(row[place]) is float for rows in (gold, predicted) for row in rows)
    ]
    if not floating:
        return False
    gold_groups, predicted_groups = _by_exact_cells(gold, floating), _by_exact_cells(predicted, floating)
    return gold_groups.keys() == predicted_groups.keys() and all(
        _can_pair_off(vectors, predicted_groups[exact]) for exact, vectors in gold_groups.items()
    )


def _same_rows(gold: Sequence[Row], predicted: Sequence[Row], order: Order) -> bool:
    if gold == predicted:
        return True
    if order is None:
        return same_multiset(gold, predicted)
    return all(same_multiset(gold[start:end], predicted[start:end]) for start, end in _ties(order))


def _ties(order: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """The spans of neighbouring rows that tie on all their sort keys."""
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or not same_multiset([order[start]], [order[end]]):
            yield start, end
            start = end


def _same_column(gold: Result, predicted: Result, column: int, place: int) -> bool:
    """Does the predicted column at `place` hold the values of the gold's `column` (in whatever order)?"""
    return same_multiset([(row[column],) for row in gold.rows], [(row[place],) for row in predicted.rows])


def _pick(rows: Sequence[Row], columns: Sequence[int]) -> Sequence[Row]:
    if rows and list(columns) == list(range(len(rows[0]))):
        return rows
    return [tuple(row[place] for place in columns) for row in rows]


def _difference(gold: Result, predicted: Result, order: Order, any_order: bool) -> Difference:
    if order is not None and same_answer(gold, predicted, None, "any" if any_order else "given") is None:
        return Difference("order", "the right rows in another order")
    rows = "1 row" if len(gold.rows) == 1 else f"{len(gold.rows)} rows"
    return Difference("values", f"{rows}, as asked, with other values")


_NUMBER, _NAN = object(), object()  # stand in an exact key for a number compared with tolerance, and for NaN


def _by_exact_cells(rows: Sequence[Row], floating: Sequence[int]) -> dict[Row, list[Vector]]:
    """The numbers in the floating columns, grouped by all that has to be equal exactly."""
    groups: dict[Row, list[Vector]] = defaultdict(list)
    for row in rows:
        exact, vector = list(row), []
        for place in floating:
            cell = row[place]
            if isinstance(cell, int | float):
                exact[place] = _NAN if isnan(cell) else _NUMBER
                vector.append(0.0 if isnan(cell) else cell)
        groups[tuple(exact)].append(tuple(vector))
    return groups


def _close(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _all_close(one: Vector, other: Vector) -> bool:
    return all(map(_close, one, other))


def _can_pair_off(gold: list[Vector], predicted: list[Vector]) -> bool:
    """Is there a one-to-one pairing of vectors that are close in every place?"""
    if len(gold) != len(predicted):
        return False
    gold, predicted = sorted(gold), sorted(predicted)
    if all(map(_all_close, gold, predicted)):
        return True
    columns = zip(zip(*gold, strict=True), zip(*predicted, strict=True), strict=True)
    if len(gold[0]) == 1 or not all(all(map(_close, sorted(a), sorted(b))) for a, b in columns):
        return False
    return _matching_exists(gold, predicted)


def _matching_exists(gold: list[Vector], predicted: list[Vector]) -> bool:
    """A perfect matching over the pairs that are close, by Kuhn's algorithm; both sides sorted, equally long."""
    firsts = [vector[0] for vector in predicted]

    def neighbours(vector: Vector) -> Iterator[int]:
        place = bisect_left(firsts, vector[0])
        while place > 0 and _close(firsts[place - 1], vector[0]):
            place -= 1
        while place < len(firsts) and _close(firsts[place], vector[0]):
            if _all_close(vector, predicted[place]):
                yield place
            place += 1

    owner: dict[int, int] = {}  # place in predicted -> place in gold
    owned: dict[int, int] = {}  # the reverse
    for start in range(len(gold)):
        reached_from: dict[int, int] = {}  # place in predicted -> the gold row that reached it
        frontier, free = [start], None
        while frontier and free is None:
            row = frontier.pop()
            for place in neighbours(gold[row]):
                if place not in reached_from:
                    reached_from[place] = row
                    if place not in owner:
                        free = place
                        break
                    frontier.append(owner[place])
        while free is not None:  # walk the path back, handing each place to the row that reached it
            row = reached_from[free]
            owner[free], owned[row], free = row, free, owned.get(row)
        if start not in owned:
            return False
    return True
