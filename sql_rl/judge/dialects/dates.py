"""Calendar functions that other databases have and SQLite lacks, over SQLite's forms of a date.

A date is text 'YYYY-MM-DD', a moment is text 'YYYY-MM-DD HH:MM:SS[.ffffff]' (also with 'T'), as in
https://sqlite.org/lang_datefunc.html. What cannot be read as either gives None, SQL's NULL, as it does in MySQL.
Units are those of PostgreSQL's and Snowflake's DATE_PART, singular or plural, in any case. Pure functions.
"""

import re
from calendar import day_name, month_name, monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta

Moment = datetime

_UNITS = {
    **dict.fromkeys(("yyyy", "yy", "y", "yr"), "year"),
    **dict.fromkeys(("qq", "q", "qtr"), "quarter"),
    **dict.fromkeys(("mm", "m", "mon"), "month"),
    **dict.fromkeys(("wk", "ww", "w", "isoweek", "iso_week", "weekofyear", "weekiso"), "week"),
    **dict.fromkeys(("dd", "d", "date", "dayofmonth", "day_of_month"), "day"),
    **dict.fromkeys(("hh", "h", "hr"), "hour"),
    **dict.fromkeys(("mi", "n", "min"), "minute"),
    **dict.fromkeys(("ss", "s", "sec"), "second"),
    **dict.fromkeys(("ms", "msec"), "millisecond"),
    **dict.fromkeys(("us", "mcs", "usec"), "microsecond"),
    **dict.fromkeys(("dayofweek0",), "dow"),
    **dict.fromkeys(("weekday", "dw", "day_of_week"), "dayofweek"),
    **dict.fromkeys(("dayofyear", "dy", "day_of_year"), "doy"),
    **dict.fromkeys(("dayofweekiso", "day_of_week_iso"), "isodow"),
    **dict.fromkeys(("epoch_second",), "epoch"),
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}
_SECONDS = {
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
}


def unit_name(unit: str) -> str:
    """The unit's one name: 'MM', 'Months' and 'mon' are 'month'."""
    name = unit.strip().strip("'\"").lower()
    name = name.split("(")[0]  # WEEK(MONDAY)
    for candidate in (name, name.removesuffix("s")):
        if candidate in _UNITS:
            return _UNITS[candidate]
        if candidate in _PARTS or candidate in _MONTHS or candidate in _SECONDS:
            return candidate
    return name


def read(value: object) -> tuple[Moment, bool] | None:
    """The moment that a value stands for, and whether it has a time of day; None if it stands for none."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), datetime.min.time()), False
        return datetime.fromisoformat(text).replace(tzinfo=None), len(text) > 10
    except ValueError:
        return _read_loosely(text)


def _read_loosely(text: str) -> tuple[Moment, bool] | None:
    """'2021-1-5', '2021/01/05', '2021-01-05 3:04': what every database but SQLite reads."""
    match = re.fullmatch(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?", text)
    if not match:
        return None
    numbers = [int(number) for number in match.groups() if number is not None]
    try:
        return datetime(*numbers), len(numbers) > 3
    except ValueError:
        return None


def write(moment: Moment, timed: bool) -> str:
    """The value of a moment: with its time of day if it has one."""
    if not timed:
        return moment.date().isoformat()
    return moment.isoformat(" ", "microseconds" if moment.microsecond else "seconds")


def _on_moment(function: Callable[[Moment], object]) -> Callable[[object], object]:
    """A function of a moment as a function of a value: NULL for what is no moment."""

    def of_value(value: object) -> object:
        found = read(value)
        return None if found is None else function(found[0])

    return of_value


_PARTS: dict[str, Callable[[Moment], object]] = {
    "year": lambda m: m.year,
    "isoyear": lambda m: m.isocalendar().year,
    "decade": lambda m: m.year // 10,
    "century": lambda m: (m.year + 99) // 100,
    "quarter": lambda m: (m.month + 2) // 3,
    "month": lambda m: m.month,
    "week": lambda m: m.isocalendar().week,
    "day": lambda m: m.day,
    "dow": lambda m: m.isoweekday() % 7,
    "dayofweek": lambda m: m.isoweekday() % 7 + 1,
    "isodow": lambda m: m.isoweekday(),
    "doy": lambda m: m.timetuple().tm_yday,
    "hour": lambda m: m.hour,
    "minute": lambda m: m.minute,
    "second": lambda m: m.second + m.microsecond / 1e6 if m.microsecond else m.second,
    "millisecond": lambda m: m.second * 1000 + m.microsecond // 1000,
    "microsecond": lambda m: m.second * 1_000_000 + m.microsecond,
    "epoch": lambda m: (m - datetime(1970, 1, 1)).total_seconds(),
}


def part(unit: str, value: object) -> object:
    """DATE_PART, EXTRACT, DATEPART: week is ISO's, dow counts from Sunday = 0, dayofweek from Sunday = 1."""
    return _on_moment(_PARTS[unit_name(unit)])(value)


def truncate(unit: str, value: object) -> str | None:
    """DATE_TRUNC: the beginning of the unit that the value falls into; weeks begin on Monday.

    Of days and longer units it is a date alone, which equals `date(value)` and '2024-01-01', as it does elsewhere.
    """
    found = read(value)
    if found is None:
        return None
    moment, _ = found
    name = unit_name(unit)
    midnight = datetime(moment.year, moment.month, moment.day)
    if name in _MONTHS:
        months = _MONTHS[name]
        first = (moment.year * 12 + moment.month - 1) // months * months
        return write(datetime(first // 12, first % 12 + 1, 1), False)
    if name == "week":
        return write(midnight - timedelta(days=moment.weekday()), False)
    seconds = _SECONDS[name]
    if seconds >= 86400:
        return write(midnight, False)
    whole = int((moment - midnight).total_seconds() // seconds)
    return write(midnight + timedelta(seconds=whole * seconds), True)


def add(unit: str, count: float, value: object) -> str | None:
    """DATEADD: the value `count` units later; the end of a shorter month is not passed."""
    found = read(value)
    if found is None or count is None:
        return None
    moment, timed = found
    name = unit_name(unit)
    if name in _MONTHS:
        months = moment.year * 12 + moment.month - 1 + _MONTHS[name] * int(count)
        year, month = divmod(months, 12)
        day = min(moment.day, monthrange(year, month + 1)[1])
        return write(moment.replace(year=year, month=month + 1, day=day), timed)
    seconds = _SECONDS[name] * float(count)
    return write(moment + timedelta(seconds=seconds), timed or bool(seconds % 86400))


def difference(unit: str, start: object, end: object) -> int | None:
    """DATEDIFF(unit, start, end) of T-SQL, Snowflake and BigQuery: how many borders of the unit lie between."""
    one, other = read(start), read(end)
    if one is None or other is None:
        return None
    name = unit_name(unit)
    if name in _MONTHS:
        first, last = ((m.year * 12 + m.month - 1) // _MONTHS[name] for m in (one[0], other[0]))
        return last - first
    if name == "week":
        first, last = ((m.toordinal() - 1) // 7 for m in (one[0], other[0]))
        return last - first
    seconds = _SECONDS[name]
    return int(_seconds(other[0]) // seconds - _seconds(one[0]) // seconds)


def elapsed(unit: str, start: object, end: object) -> int | None:
    """TIMESTAMPDIFF(unit, start, end) of MySQL: how many whole units have passed, negative if end is before start."""
    one, other = read(start), read(end)
    if one is None or other is None:
        return None
    name = unit_name(unit)
    if other[0] < one[0]:
        return -elapsed(unit, end, start)
    if name in _MONTHS:
        months = (other[0].year - one[0].year) * 12 + other[0].month - one[0].month
        tail, head = ((m.day, m.time()) for m in (other[0], one[0]))
        return (months - (tail < head)) // _MONTHS[name]
    return int((_seconds(other[0]) - _seconds(one[0])) // _SECONDS[name])


def _seconds(moment: Moment) -> float:
    return (moment - datetime(1, 1, 1)).total_seconds()


def parse(text: str, form: str) -> str | None:
    """STR_TO_DATE, TO_DATE, PARSE_DATE with a strftime format; a date alone if the format has no time of day."""
    try:
        moment = datetime.strptime(text.strip(), form).replace(tzinfo=None)
    except ValueError:
        return None
    return write(moment, bool(re.search(r"%-?[HIMSTfpcXsR]", form)))


def form(value: object, form: str) -> str | None:
    """DATE_FORMAT, TO_CHAR, FORMAT_DATE with a strftime format."""
    found = read(value)
    return None if found is None else found[0].strftime(form)


def days_between(later: object, earlier: object) -> int | None:
    """DATEDIFF(later, earlier) of MySQL, and the difference of two dates in PostgreSQL: days."""
    return difference("day", earlier, later)


def from_parts(year: int, month: int, day: int) -> str:
    """MAKE_DATE, DATEFROMPARTS."""
    return date(int(year), int(month), int(day)).isoformat()


def last_day(value: object) -> str | None:
    """The last day of the value's month."""
    return _on_moment(lambda m: m.replace(day=monthrange(m.year, m.month)[1]).date().isoformat())(value)


# name -> (function, numbers of arguments); what the clock says is added by `functions.py`.
FUNCTIONS: dict[str, tuple[Callable[..., object], tuple[int, ...]]] = {
    **{
        name: (_on_moment(_PARTS[name]), (1,))
        for name in ("year", "quarter", "month", "day", "hour", "minute", "second", "dayofweek")
    },
    "dayofmonth": (_on_moment(_PARTS["day"]), (1,)),
    "dayofyear": (_on_moment(_PARTS["doy"]), (1,)),
    "day_of_week": (_on_moment(_PARTS["dayofweek"]), (1,)),
    "day_of_year": (_on_moment(_PARTS["doy"]), (1,)),
    "weekday": (_on_moment(lambda m: m.weekday()), (1,)),
    "weekofyear": (_on_moment(_PARTS["week"]), (1,)),
    "week": (_on_moment(lambda m: int(m.strftime("%U"))), (1,)),  # MySQL's mode 0
    "dayname": (_on_moment(lambda m: day_name[m.weekday()]), (1,)),
    "monthname": (_on_moment(lambda m: month_name[m.month]), (1,)),
    "last_day": (last_day, (1,)),
    "to_days": (_on_moment(lambda m: m.toordinal() + 365), (1,)),
    "unix_timestamp": (_on_moment(lambda m: int(_PARTS["epoch"](m))), (1,)),
    "date_part": (part, (2,)),
    "date_trunc": (truncate, (2,)),
    "dateadd": (add, (3,)),
    "datediff": (lambda *a: days_between(*a) if len(a) == 2 else difference(*a), (2, 3)),
    "elapsed": (elapsed, (3,)),
    "parse_time": (parse, (2,)),
    "format_time": (form, (2,)),
    **dict.fromkeys(("date_from_parts", "make_date", "datefromparts"), (from_parts, (3,))),
}
