"""Dates in a query's tree: their arithmetic, parts and formats, as calls of `dates.py`.

sqlglot has one node for each of a dozen spellings; here each node becomes one call. What is a date is known from the
declared types of columns, and from the functions that return one.
"""

import re

from sqlglot import exp

from sql_rl.judge.dialects.dates import unit_name
from sql_rl.judge.dialects.scope import Handler, Scope, call

DATE_ARITHMETIC = "date arithmetic by DATEADD and DATEDIFF"


def _unit(node: exp.Expression | None, default: str = "day") -> str:
    return default if node is None else unit_name(node.name)


def _negative(count: exp.Expression) -> exp.Expression:
    return exp.Neg(this=exp.paren(count, copy=False))


def _count(node: exp.Expression) -> exp.Expression:
    """How many units: sqlglot keeps the number of an interval as a string."""
    if isinstance(node, exp.Literal) and re.fullmatch(r"\s*[-+]?\d+(\.\d+)?\s*", node.name):
        return exp.Literal.number(node.name.strip())
    return node


def _shift(sign: int) -> Handler:
    def handle(node: exp.Expression, _: Scope) -> exp.Expression:
        count = node.expression
        if isinstance(count, exp.Interval):
            return _apply_interval(node.this, count, sign) or node
        count = _count(count)
        return call("dateadd", _unit(node.args.get("unit")), count if sign > 0 else _negative(count), node.this)

    return handle


def _apply_interval(moment: exp.Expression, interval: exp.Expression, sign: int) -> exp.Expression | None:
    """`moment` ± an interval with one or several units ('1 year 2 months'); None if it cannot be read."""
    if interval.args.get("unit") is not None:
        steps = [(_count(interval.this), _unit(interval.args["unit"]))]
    else:
        text = interval.this.name if isinstance(interval.this, exp.Literal) else ""
        found = re.findall(r"([-+]?\d+(?:\.\d+)?)\s*([a-zA-Z]+)", text)
        steps = [(exp.Literal.number(number), unit_name(unit)) for number, unit in found]
    for count, unit in steps:
        moment = call("dateadd", unit, count if sign > 0 else _negative(count), moment)
    return moment if steps else None


def _interval_in(node: exp.Expression) -> exp.Expression | None:
    """The interval that a node is, also as '1 day'::interval."""
    if isinstance(node, exp.Paren):
        return _interval_in(node.this)
    if isinstance(node, exp.Interval):
        return node
    if isinstance(node, exp.Cast) and node.to.is_type("interval"):
        return node
    return None


_TEMPORAL_NODES = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentDatetime, exp.TsOrDsToDate, exp.Date)
_TEMPORAL_CALLS = frozenset(
    [
        "date",
        "datetime",
        "dateadd",
        "date_trunc",
        "date_from_parts",
        "parse_time",
        "last_day",
        "now",
        "curdate",
        "getdate",
    ]
)


def _is_temporal(node: exp.Expression, scope: Scope) -> bool:
    if isinstance(node, exp.Paren):
        return _is_temporal(node.this, scope)
    if isinstance(node, exp.Column):
        return node.name.casefold() in scope.temporal
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _TEMPORAL_CALLS
    return isinstance(node, _TEMPORAL_NODES)


def sum_of_dates(sign: int) -> Handler:
    """Dates plus or minus intervals, dates (days between), and numbers (days)."""

    def handle(node: exp.Expression, scope: Scope) -> exp.Expression:
        left, right = node.this, node.expression
        interval = _interval_in(right)
        if interval is not None:
            return _apply_interval(left, interval, sign) or node
        if sign > 0 and (interval := _interval_in(left)) is not None:
            return _apply_interval(right, interval, sign) or node
        if _is_temporal(left, scope):
            if sign < 0 and _is_temporal(right, scope):
                return call("datediff", left, right)
            if isinstance(right, exp.Literal) and not right.is_string:
                return call("dateadd", "day", right if sign > 0 else _negative(right), left)
        return node

    return handle


_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400}


def compared_with_interval(node: exp.Expression, _: Scope) -> exp.Expression:
    """The time between two dates, or an AGE, against an interval: seconds against seconds. A month has 30 days."""
    for side, other in (("this", "expression"), ("expression", "this")):
        interval, between = _interval_in(node.args[side]), node.args[other].unnest()
        called = between.name.lower() if isinstance(between, exp.Anonymous) else ""
        if isinstance(interval, exp.Interval) and called in ("datediff", "age"):
            count, unit = _count(interval.this), _unit(interval.args.get("unit"))
            if len(between.expressions) == 2 and unit in _SECONDS:
                later, earlier = between.expressions
                seconds = exp.Mul(this=exp.paren(count), expression=exp.Literal.number(_SECONDS[unit]))
                sides = {side: seconds, other: call("elapsed", "second", earlier, later)}
                return type(node)(**sides)
    return node


def _difference(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("datediff", _unit(node.args.get("unit")), bare(node.expression), bare(node.this))


def _elapsed(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("elapsed", _unit(node.args.get("unit")), bare(node.expression), bare(node.this))


def bare(node: exp.Expression) -> exp.Expression:
    """Without sqlglot's markers for 'a text that stands for a time'."""
    return node.this if isinstance(node, exp.TimeStrToTime | exp.TsOrDsToTimestamp | exp.TsOrDsToDate) else node


def _extract(node: exp.Expression, _: Scope) -> exp.Expression:
    """A part of a date; of PostgreSQL's AGE, whole units; of the difference of two dates, days or seconds."""
    unit, value = _unit(node.this), node.expression.unnest()
    called = value.name.lower() if isinstance(value, exp.Anonymous) else ""
    if called == "age":
        later, earlier = value.expressions if len(value.expressions) == 2 else (exp.CurrentDate(), *value.expressions)
        whole = call("elapsed", unit, earlier, later)
        return exp.Mod(this=whole, expression=exp.Literal.number(12)) if unit == "month" else whole
    if called == "datediff" and len(value.expressions) == 2 and unit in ("day", "epoch"):
        later, earlier = value.expressions
        return value if unit == "day" else call("elapsed", "second", earlier, later)
    return call("date_part", unit, bare(value))


def _truncate(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("date_trunc", _unit(node.args.get("unit")), bare(node.this))


def _part(unit: str) -> Handler:
    return lambda node, _: call("date_part", unit, bare(node.this))


def _week(node: exp.Expression, _: Scope) -> exp.Expression:
    iso = node.args.get("mode") is not None and node.args["mode"].name in ("1", "3")
    return call("weekofyear" if iso else "week", bare(node.this))


def _timed(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("parse_time", node.this, node.args["format"]) if node.args.get("format") else call("date", node.this)


def _formatted(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("format_time", bare(node.this), node.args["format"])


def _without(*arguments: str) -> Handler:
    """The node without arguments that mean nothing to SQLite (precision, time zone)."""

    def handle(node: exp.Expression, _: Scope) -> exp.Expression:
        return type(node)() if any(node.args.get(argument) for argument in arguments) else node

    return handle


_SHIFTS = {
    **dict.fromkeys((exp.DateAdd, exp.TimestampAdd, exp.DatetimeAdd, exp.TsOrDsAdd, exp.TimeAdd), _shift(+1)),
    **dict.fromkeys((exp.DateSub, exp.TimestampSub, exp.DatetimeSub, exp.TimeSub), _shift(-1)),
}
DATE_HANDLERS: dict[type[exp.Expression], Handler] = {
    **_SHIFTS,
    **dict.fromkeys((exp.DateDiff, exp.TsOrDsDiff, exp.DatetimeDiff), _difference),
    **dict.fromkeys((exp.TimestampDiff, exp.TimeDiff), _elapsed),
    **dict.fromkeys((exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc), _truncate),
    **dict.fromkeys((exp.StrToDate, exp.StrToTime), _timed),
    **dict.fromkeys((exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime), _without("this", "sysdate")),
    **dict.fromkeys((exp.CurrentDatetime, exp.Localtimestamp), lambda node, _: exp.CurrentTimestamp()),
    exp.Extract: _extract,
    exp.Year: _part("year"),
    exp.Month: _part("month"),
    exp.Day: _part("day"),
    exp.DayOfMonth: _part("day"),
    exp.Quarter: _part("quarter"),
    exp.DayOfWeek: _part("dayofweek"),
    exp.DayOfWeekIso: _part("isodow"),
    exp.DayOfYear: _part("doy"),
    exp.Hour: _part("hour"),
    exp.Minute: _part("minute"),
    exp.Second: _part("second"),
    exp.WeekOfYear: _part("week"),
    exp.Week: _week,
    exp.TimeToStr: _formatted,
    exp.TimeStrToDate: lambda node, _: call("date", node.this),
    exp.TimeStrToTime: lambda node, _: node.this,
    exp.TsOrDsToTimestamp: lambda node, _: node.this,
    exp.UnixToTime: lambda node, _: call("datetime", node.this, "unixepoch"),
    exp.DateFromParts: lambda node, _: call("date_from_parts", *(node.args[n] for n in ("year", "month", "day"))),
    exp.LastDay: lambda node, _: call("last_day", bare(node.this)),
    exp.AtTimeZone: lambda node, _: node.this,
}
DATE_PHRASES: dict[type[exp.Expression], str] = {
    **dict.fromkeys(_SHIFTS, DATE_ARITHMETIC),
    **dict.fromkeys((exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime), "the current time without a zone"),
    **dict.fromkeys((exp.TimeStrToTime, exp.TsOrDsToTimestamp), "text read as a time"),
    exp.AtTimeZone: "time zone dropped",
}
