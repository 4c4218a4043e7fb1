"""Values for generated databases: what a column can hold, and what lies on and beside a boundary.

Values keep the column's manner: its affinity (a number in a TEXT column is text, as SQLite would store it), the
format of its dates, the decimals of its numbers. Everything is drawn from the `random.Random` given.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from random import Random

from sql_rl.judge.variants.demands import Leaf, Value, number, whole

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_YEAR = re.compile(r"(19|20)\d{2}")
SKEW = 4  # of drawn numbers: the power of an even draw


def coerce(value: Value, affinity: str) -> Value:
    """The value as a column of that affinity stores it (datatype3.html, 3)."""
    if value is None or affinity == "BLOB":
        return value
    if affinity == "TEXT":
        return str(value) if isinstance(value, int | float) else value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = number(value)
    if affinity == "REAL":
        return float(value) if isinstance(value, int) else value
    return whole(int(value)) if isinstance(value, float) and value.is_integer() else value


def is_date(value: Value) -> bool:
    """Is it text that begins with an ISO date?"""
    return isinstance(value, str) and _DATE.match(value) is not None


def is_year(value: Value) -> bool:
    """Is it a year of our time, as a number or as text?"""
    return _YEAR.fullmatch(str(value)) is not None


def number_in(text: str) -> int | float | None:
    """The number that a text is, None if it is none."""
    return number(text) if _NUMBER.fullmatch(text) else None


def neighbours(value: Value) -> list[Value]:
    """Values just beside this one, that a condition with another bound or letter would treat otherwise."""
    match value:
        case int():
            return [whole(value - 1), whole(value + 1)]
        case float():
            return [value - 1, value + 1, value - 0.5, value + 0.5]
        case str() if _NUMBER.fullmatch(value):
            return [str(near) for near in neighbours(number(value))]
        case str() if found := _DATE.match(value):
            rest = value[found.end() :]
            return [f"{near}{rest}" for near in _days_beside(found)]
        case str() if value:
            return [value + "x", value[:-1], value.swapcase(), "x" + value]
    return []


def _days_beside(found: re.Match[str]) -> list[str]:
    day = day_of(found.group())
    if day is None:
        return []
    return [str(day - timedelta(days=1)), str(day + timedelta(days=1)), str(day.replace(year=day.year - 1, day=1))]


def around(leaf: Leaf) -> list[Value]:
    """The values on and beside a condition's boundary."""
    value = leaf.value
    if leaf.op == "null":
        return []
    if leaf.op == "like":
        return _like_values(str(value))
    return [value, *neighbours(value)]


def _like_values(pattern: str) -> list[Value]:
    core = pattern.replace("%", "").replace("_", "x")
    tight = pattern.replace("%", "").replace("_", "q")
    loose = pattern.replace("%", "zz ").replace("_", "y").strip()
    return [tight, loose, core.swapcase(), core[:-1], "x" + core, core + "x", f"a{core}b"]


@lru_cache(maxsize=512)
def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.ASCII | re.DOTALL)


def holds(leaf: Leaf, value: Value) -> bool:
    """Does the value satisfy the condition, as SQLite compares (numbers before text; NULL satisfies nothing)?"""
    if leaf.op == "null":
        return value is None
    if value is None:
        return False
    if leaf.op == "like":
        return _like(str(leaf.value)).fullmatch(str(value)) is not None
    bound = leaf.value
    if isinstance(value, str) != isinstance(bound, str):
        value, bound = isinstance(value, str), isinstance(bound, str)
    match leaf.op:
        case "=":
            return value == bound
        case "<":
            return value < bound
        case "<=":
            return value <= bound
        case ">":
            return value > bound
    return value >= bound


def is_fraction(value: Value) -> bool:
    """Is it a number between two integers?"""
    return isinstance(value, float) and not value.is_integer()


def plain(kind: str, name: str) -> list[Value]:
    """Values for a column of which nothing is known but its affinity, or 'DATE' or 'TIMESTAMP', and its name."""
    match kind:
        case "INTEGER":
            return [0, 1, 2, 3, 4, 5, 7, 10, 12, 20, 50, 100]
        case "REAL" | "NUMERIC":
            return [coerce(x, kind) for x in (0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 3.0, 5.0, 10.0, 12.5, 50.0, 100.0)]
        case "DATE":
            return [f"{year}-{month:02}-15" for year in (2022, 2023, 2024) for month in (1, 4, 6, 12)]
        case "TIMESTAMP":
            return [f"{day} 08:30:00" for day in plain("DATE", name)]
    return [f"{name} {letter}" for letter in "abcdefghijkl"]


def rank(value: Value) -> tuple[int, float | str | bytes]:
    """Sorts values of one type as `shifted` moves them: text that is a number by the number, below other text."""
    if isinstance(value, str):
        return (0, number(value)) if _NUMBER.fullmatch(value) else (1, value)
    return 0, value


def more_like(model: Sequence[Value], count: int, random: Random) -> list[Value]:
    """Some `count` values in the manner of the given ones, most of them new.

    Of numbers most are small and few large, so that the largest sum is not that of the largest group.
    """
    numbers = [value for value in model if isinstance(value, int | float)]
    low, high = (min(numbers), max(numbers)) if numbers else (0, 0)
    made: list[Value] = []
    for serial, value in enumerate(random.choices(model, k=count), 1):
        match value:
            case int():
                made.append(whole(int(low) + int((int(high) + 2 * count - int(low)) * random.random() ** SKEW)))
            case float():
                made.append(round(low + (high + 1 - low) * random.random() ** SKEW, 2))
            case _:
                made.append(shifted(value, serial))
    return made


def outlying(model: Sequence[Value]) -> list[Value]:
    """A number far above the given ones, by which a sum ranks groups otherwise than a count does; none for text."""
    numbers = [value for value in model if isinstance(value, int | float)]
    return [coerce(20.0 * max(map(abs, numbers)) + 1, "NUMERIC")] if len(numbers) > 1 else []


def shifted(value: Value, serial: int) -> Value:
    """The value moved by a serial number in its own manner: a number by as much, a date by as many days."""
    match value:
        case int():
            return whole(value + serial)
        case float():
            return value + serial
        case str() if _NUMBER.fullmatch(value):
            return str(number(value) + serial)
        case str() if found := _DATE.match(value):
            day = day_of(value)
            return f"{day + timedelta(days=serial)}{value[found.end() :]}" if day else f"{value} {serial}"
        case str():
            return f"{value} {serial}" if serial > 0 else f"{value[:1]} {-serial}"
    return serial


def day_of(text: str) -> date | None:
    """The day of text that begins with an ISO date, None for one that is none, or too near the ends of the calendar
    to move about."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return day if 10 < day.year < 9990 else None


def distinct(values: Iterable[Value], limit: int) -> list[Value]:
    """The first `limit` different values that are not NULL, in their order; 1 and 1.0 are one."""
    return list(islice(dict.fromkeys(value for value in values if value is not None), limit))
