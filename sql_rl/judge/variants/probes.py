"""Where a condition on one column turns from false to true, found by asking the database.

A condition with a function, arithmetic or the clock in it (`MONTH(day) = 2`, `price * 1.2 > 100`, `day >= date('now',
'-30 days')`) is not solved but tried: on a grid of values in the column's manner, then between two neighbours of the
grid that it treats otherwise, down to two hours, days, integers or hundredths that lie side by side.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from sql_rl.judge.variants import values
from sql_rl.judge.variants.demands import Leaf, Probe, Value

TURNS = 6  # places where one condition turns; months and weekdays turn for ever
YEARS = range(1990, 2041)  # whose months are tried
DIGITS = [sign * step * 10**power for sign in (-1, 1) for power in range(10) for step in (1, 2, 5)]
LARGEST = 10**15  # the largest number that is tried: its hundredths are whole in 64 bits
LENGTHS = 500  # characters; the longest text that is tried

_TIME = re.compile(r"[ T]([01]\d|2[0-3])")
Decide = Callable[[str, Sequence[Value]], Sequence[bool | None]]  # the truth of a Probe's sql for each value
Condition = Leaf | Probe


class Truths:
    """The truth of conditions, each asked of the database once for a value. Without one, no Probe is true."""

    def __init__(self, decide: Decide | None) -> None:
        self._decide = decide
        self._known: dict[str, dict[Value, bool]] = {}

    def of(self, condition: Condition, tried: Sequence[Value]) -> list[bool]:
        """Is it true of each value? Unknown, as of NULL, is not true."""
        if isinstance(condition, Leaf):
            return [values.holds(condition, value) for value in tried]
        known = self._known.setdefault(condition.sql, {})
        new = [value for value in dict.fromkeys(tried) if value not in known]
        if new:
            answers = self._decide(condition.sql, new) if self._decide else [None] * len(new)
            known.update((value, answer is True) for value, answer in zip(new, answers, strict=True))
        return [known[value] for value in tried]


def turning_points(
    turning: Sequence[Condition], others: Sequence[Leaf], common: Sequence[Value], affinity: str, truths: Truths
) -> list[Value]:
    """The values on both sides of where each of `turning` turns, as near as can be to where most conditions hold.

    others: what else is asked of the column. common: what it holds as a rule.
    """
    literals = [v for c in turning for v in (c.literals if isinstance(c, Probe) else [c.value]) if v is not None]
    scale = _scale(common, literals)
    if scale is None:
        return _texts_told_apart(turning, _texts(common, literals), truths)
    places, value_at = scale

    def truth_at(condition: Condition, some: Sequence[int]) -> list[bool]:
        return truths.of(condition, [values.coerce(value_at(place), affinity) for place in some])

    grid = [truth_at(condition, places) for condition in (*turning, *others)]
    holding = [sum(truth) for truth in zip(*grid, strict=True)]
    best = [at for at, count in enumerate(holding) if count == max(holding)]
    found = [value_at(places[best[at * (len(best) - 1) // 2]]) for at in range(3)]
    # What holds, and the same month a year before, by which MONTH(day) = 2 differs from February of that year.
    found += [near for value in found if values.is_date(value) for near in values.neighbours(value)[2:]]
    for condition, truth in zip(turning, grid, strict=False):
        turns = [at for at in range(len(places) - 1) if truth[at] != truth[at + 1]]
        turns = sorted(turns, key=lambda at: min(abs(at - near) for near in (best[0], best[-1])))[:TURNS]
        pairs = [(places[at], places[at + 1]) for at in turns]
        low = dict(zip(turns, [truth[at] for at in turns], strict=True))
        while wide := [n for n, (one, other) in enumerate(pairs) if other - one > 1]:
            middles = [sum(pairs[n]) // 2 for n in wide]
            for n, middle, holds in zip(wide, middles, truth_at(condition, middles), strict=True):
                pairs[n] = (middle, pairs[n][1]) if holds == low[turns[n]] else (pairs[n][0], middle)
        found += [value_at(place) for pair in pairs for place in pair]
    return found


def _scale(common: Sequence[Value], literals: Sequence[Value]) -> tuple[Sequence[int], Callable[[int], Value]] | None:
    """Places to try, in order, and the value at a place: hours, days, integers or hundredths; None for other texts."""
    if any(map(values.is_date, common)):
        return _times(common, literals)
    numbers = [value for value in map(_number, common) if value is not None]
    if len(numbers) < len(common):
        return None
    known = [n for n in (*numbers, *map(_number, literals)) if n is not None and abs(n) < LARGEST]
    tried = {*range(-5, 130), *DIGITS, *map(round, known)}
    if all(isinstance(number, int) for number in numbers):
        return sorted(tried), lambda place: place
    return sorted(100 * place for place in tried), lambda place: place / 100


def _times(common: Sequence[Value], literals: Sequence[Value]) -> tuple[Sequence[int], Callable[[int], Value]]:
    """Days, or hours where the column tells them: the first of each month, the given days, and all of their hours."""
    rest = next(value[10:] for value in common if values.is_date(value))
    years = {*YEARS, *(int(str(v)) for v in literals if values.is_year(v))}
    given = {day.toordinal() for v in (*common, *literals) if values.is_date(v) and (day := values.day_of(v))}
    days = {*given, *(date(year, month, 1).toordinal() for year in years for month in range(1, 13))}
    if not _TIME.match(rest):
        return sorted(days), lambda place: f"{date.fromordinal(place)}{rest}"
    hours = {24 * day + int(rest[1:3]) for day in days} | {24 * day + hour for day in given for hour in range(24)}
    return sorted(hours), lambda place: f"{date.fromordinal(place // 24)}{rest[0]}{place % 24:02}{rest[3:]}"


def _number(value: Value) -> int | float | None:
    return value if isinstance(value, int | float) else values.number_in(value) if isinstance(value, str) else None


def _texts(common: Sequence[Value], literals: Sequence[Value]) -> list[Value]:
    """Texts of every length, and those made of the condition's own, in several letter cases."""
    model = next((text for text in common if isinstance(text, str) and text), "x")
    sizes = {n for v in literals if (n := _number(v)) and isinstance(n, int) and 0 < n < LENGTHS}
    longest = max(30, *(size + 2 for size in sizes), 0)
    tried = [(model * longest)[:size] for size in range(longest)]
    for literal in literals:
        if isinstance(literal, str) and literal and not values.number_in(literal):
            made = values.around(Leaf((0, ""), "like" if "%" in literal else "=", literal))
            tried += [v for text in made for v in (text, text.upper(), text.lower(), text.capitalize())]
            tried += [f"{literal}{model}", f"{model} {literal}", f" {literal} "]
    return list(dict.fromkeys([*tried, *(text for text in common if isinstance(text, str)), f" {model} "]))


def _texts_told_apart(turning: Sequence[Condition], tried: Sequence[Value], truths: Truths) -> list[Value]:
    return list(dict.fromkeys(v for condition in turning for v in _sides(truths.of(condition, tried), tried)))


def _sides(truth: Sequence[bool], tried: Sequence[Value]) -> Iterator[Value]:
    turns = [at for at in range(len(tried) - 1) if truth[at] != truth[at + 1]][:TURNS]
    for at in turns:
        yield from tried[at : at + 2]
