"""From a query's tree, read in any dialect, to a tree that SQLite runs with the same meaning.

Promise: `for_sqlite` leaves alone what SQLite has, puts calls of `functions.py` where it has no counterpart, and says
in short phrases what it did. What it does not know stays as it is, and SQLite will refuse it by name. Statements
that define or change data are taken further by `definitions.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from sql_rl.judge.dates import unit_name


@dataclass(frozen=True, slots=True)
class Scope:
    """What a query may mean. columns: all columns of the database, temporal: those that hold dates, case folded;
    dialect: sqlglot's name for the dialect that the query was read in. sqlite: the database is known to be SQLite's
    own, so what runs on it means what SQLite makes of it."""

    columns: frozenset[str] = frozenset()
    temporal: frozenset[str] = frozenset()
    dialect: str = "sqlite"
    sqlite: bool = False


Handler = Callable[[exp.Expression, Scope], exp.Expression]


def for_sqlite(tree: exp.Expression, scope: Scope) -> tuple[exp.Expression, tuple[str, ...]]:
    """The tree for SQLite, and what was rewritten. The given tree is consumed."""
    notes: dict[str, None] = {}  # in order, each once
    _name_columns_of_qualify(tree)
    for node in reversed(list(tree.walk())):  # children before their parents
        handle = _HANDLERS.get(type(node))
        new = handle(node, scope) if handle else node
        if new is not node:
            notes[_PHRASES.get(type(node)) or f"{_name(node)} by a function of the judge"] = None
            if node is tree:
                tree = new
            else:
                node.replace(new)
    return tree, tuple(notes)


def _name(node: exp.Expression) -> str:
    return node.sql_name() if isinstance(node, exp.Func) else node.key.upper()


def _name_columns_of_qualify(tree: exp.Expression) -> None:
    """sqlglot turns QUALIFY into a subquery, whose columns need names to be taken from it."""
    for select in tree.find_all(exp.Select):
        if select.args.get("qualify"):
            named = [
                column if column.alias_or_name else exp.alias_(column, f"column_{place}")
                for place, column in enumerate(select.expressions, 1)
            ]
            select.set("expressions", named)


def resolve_strings(tree: exp.Expression, text: str, scope: Scope) -> bool:
    """Read names in double quotes that name no column and no alias as strings, in place, as SQLite does.

    text: what the tree was read from; the tree does not tell one kind of quotes from another. Returns whether there
    were any.
    """
    if '"' not in text:
        return False
    known = scope.columns | {alias.alias.casefold() for alias in tree.find_all(exp.Alias)}
    strings = [
        column
        for column in tree.find_all(exp.Column)
        if not column.table
        and isinstance(column.this, exp.Identifier)
        and column.this.quoted
        and column.name.casefold() not in known
        and f'"{column.name}"' in text
    ]
    for column in strings:
        column.replace(exp.Literal.string(column.name))
    return bool(strings)


def call(name: str, *arguments: exp.Expression | str | int) -> exp.Anonymous:
    """A call of an SQL function; plain str and int arguments are literals."""
    return exp.Anonymous(this=name, expressions=[exp.convert(a) if isinstance(a, str | int) else a for a in arguments])


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
    {
        "dateadd",
        "date_trunc",
        "date",
        "datetime",
        "now",
        "curdate",
        "getdate",
        "parse_time",
        "last_day",
        "date_from_parts",
    }
)


def _is_temporal(node: exp.Expression, scope: Scope) -> bool:
    if isinstance(node, exp.Paren):
        return _is_temporal(node.this, scope)
    if isinstance(node, exp.Column):
        return node.name.casefold() in scope.temporal
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _TEMPORAL_CALLS
    return isinstance(node, _TEMPORAL_NODES)


def _sum(sign: int) -> Handler:
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


def _plus(node: exp.Expression, scope: Scope) -> exp.Expression:
    """T-SQL joins texts with +: known by a string, or what is made of one, on either side."""
    if scope.dialect == "tsql" and (_is_text(node.this) or _is_text(node.expression)):
        return exp.DPipe(this=node.this, expression=node.expression)
    return _sum(+1)(node, scope)


def _is_text(node: exp.Expression) -> bool:
    return (
        isinstance(node, exp.DPipe)
        or (isinstance(node, exp.Literal) and node.is_string)
        or (isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEXT_TYPES))
    )


def _difference(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("datediff", _unit(node.args.get("unit")), _bare(node.expression), _bare(node.this))


def _elapsed(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("elapsed", _unit(node.args.get("unit")), _bare(node.expression), _bare(node.this))


def _bare(node: exp.Expression) -> exp.Expression:
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
    return call("date_part", unit, _bare(value))


def _truncate(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("date_trunc", _unit(node.args.get("unit")), _bare(node.this))


def _part(unit: str) -> Handler:
    return lambda node, _: call("date_part", unit, _bare(node.this))


def _named(name: str) -> Handler:
    """The same arguments under another name."""
    return lambda node, _: call(name, *[a for a in [node.this, *node.args.get("expressions", [])] if a is not None])


def _week(node: exp.Expression, _: Scope) -> exp.Expression:
    iso = node.args.get("mode") is not None and node.args["mode"].name in ("1", "3")
    return call("weekofyear" if iso else "week", _bare(node.this))


def _timed(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("parse_time", node.this, node.args["format"]) if node.args.get("format") else call("date", node.this)


def _formatted(node: exp.Expression, _: Scope) -> exp.Expression:
    return call("format_time", _bare(node.this), node.args["format"])


def _cast(node: exp.Expression, _: Scope) -> exp.Expression:
    to = node.to
    if to.is_type("date"):
        return call("date", _bare(node.this))
    if to.is_type("datetime", "timestamp", "timestamptz", "timestampltz", "datetime2", "smalldatetime"):
        return call("datetime", _bare(node.this))
    if to.is_type("decimal") and len(to.expressions) == 2:
        real = exp.Cast(this=node.this, to=exp.DataType.build("REAL"))
        return call("round", real, to.expressions[1].this)
    if to.is_type(*exp.DataType.TEXT_TYPES) and to.expressions:
        plain = exp.Cast(this=node.this, to=exp.DataType.build("TEXT"))
        return call("substr", plain, 1, to.expressions[0].this) if to.expressions[0].this.is_int else plain
    return node


def _inner_aggregate(node: exp.Expression, _: Scope) -> exp.Expression:
    """An aggregate of an aggregate: within a group the inner one is a single value, so it is that value."""
    inner = node.this
    single = isinstance(inner, exp.AggFunc) and not isinstance(node.parent, exp.Window)
    return inner if single else node


def _within_group(node: exp.Expression, _: Scope) -> exp.Expression:
    inner, order = node.this, node.expression
    if isinstance(inner, exp.PercentileCont | exp.PercentileDisc) and isinstance(order, exp.Order):
        return call(inner.key.replace("percentile", "percentile_"), order.expressions[0].this, inner.this)
    return node


def _joined_group(node: exp.Expression, _: Scope) -> exp.Expression:
    """SQLite takes DISTINCT in an aggregate of one argument only, so not beside a separator."""
    separator = node.args.get("separator")
    order = node.this if isinstance(node.this, exp.Order) else None
    inner = order.this if order else node.this
    if not isinstance(inner, exp.Distinct) or separator is None:
        return node
    arguments = [inner.expressions[0], separator]
    if order:
        arguments[-1] = exp.Order(this=separator, expressions=order.expressions)
    return call("group_concat_distinct", *arguments)


def _qualified(node: exp.Expression, _: Scope) -> exp.Expression:
    """schema.table: a judged database has one schema."""
    if node.args.get("db") is None:
        return node
    plain = node.copy()
    plain.set("db", None)
    plain.set("catalog", None)
    return plain


def _qualified_column(node: exp.Expression, _: Scope) -> exp.Expression:
    if node.args.get("db") is None:
        return node
    return exp.column(node.this.copy(), table=node.args["table"].copy())


def _without(*arguments: str) -> Handler:
    """The node without arguments that mean nothing to SQLite (precision, time zone)."""

    def handle(node: exp.Expression, _: Scope) -> exp.Expression:
        return type(node)() if any(node.args.get(argument) for argument in arguments) else node

    return handle


def _either(node: exp.Expression, _: Scope) -> exp.Expression:
    return exp.NEQ(this=_truth(node.this), expression=_truth(node.expression))


def _truth(node: exp.Expression) -> exp.Expression:
    return exp.Not(this=exp.paren(exp.Not(this=exp.paren(node))))


_SHIFTS = {
    **dict.fromkeys((exp.DateAdd, exp.TimestampAdd, exp.DatetimeAdd, exp.TsOrDsAdd, exp.TimeAdd), _shift(+1)),
    **dict.fromkeys((exp.DateSub, exp.TimestampSub, exp.DatetimeSub, exp.TimeSub), _shift(-1)),
}
_HANDLERS: dict[type[exp.Expression], Handler] = {
    **_SHIFTS,
    **dict.fromkeys((exp.DateDiff, exp.TsOrDsDiff, exp.DatetimeDiff), _difference),
    **dict.fromkeys((exp.TimestampDiff, exp.TimeDiff), _elapsed),
    **dict.fromkeys((exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc), _truncate),
    **dict.fromkeys((exp.StrToDate, exp.StrToTime), _timed),
    **dict.fromkeys((exp.Cast, exp.TryCast), _cast),
    **dict.fromkeys((exp.Max, exp.Min, exp.Sum, exp.Avg), _inner_aggregate),
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
    exp.TimeStrToDate: _named("date"),
    exp.TimeStrToTime: lambda node, _: node.this,
    exp.TsOrDsToTimestamp: lambda node, _: node.this,
    exp.UnixToTime: lambda node, _: call("datetime", node.this, "unixepoch"),
    exp.DateFromParts: lambda node, _: call("date_from_parts", *(node.args[n] for n in ("year", "month", "day"))),
    exp.LastDay: lambda node, _: call("last_day", _bare(node.this)),
    exp.Add: _plus,
    exp.Sub: _sum(-1),
    exp.WithinGroup: _within_group,
    exp.GroupConcat: _joined_group,
    exp.ArrayAgg: _named("json_group_array"),
    exp.Array: lambda node, _: call("json_array", *node.expressions),
    exp.ApproxDistinct: lambda node, _: exp.Count(this=exp.Distinct(expressions=[node.this])),
    exp.RegexpILike: lambda node, _: call("regexp_i_like", node.this, node.expression),
    exp.National: lambda node, _: exp.Literal.string(node.name),
    exp.Xor: _either,
    exp.AtTimeZone: lambda node, _: node.this,
    exp.Trunc: lambda node, _: call("cut_number", node.this, node.args.get("decimals") or 0),
    exp.Rand: _named("rand"),
    exp.Table: _qualified,
    exp.Column: _qualified_column,
}
_PHRASES: dict[type[exp.Expression], str] = {
    exp.Table: "schema name dropped",
    exp.Column: "schema name dropped",
    exp.Cast: "CAST in SQLite's types",
    exp.TryCast: "CAST in SQLite's types",
    **dict.fromkeys((exp.Max, exp.Min, exp.Sum, exp.Avg), "aggregate of an aggregate read as the inner one"),
    **dict.fromkeys((exp.Add, exp.Sub), "date arithmetic by DATEADD and DATEDIFF"),
    **dict.fromkeys(_SHIFTS, "date arithmetic by DATEADD and DATEDIFF"),
    **dict.fromkeys((exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime), "the current time without a zone"),
    **dict.fromkeys((exp.TimeStrToTime, exp.TsOrDsToTimestamp), "text read as a time"),
    exp.AtTimeZone: "time zone dropped",
    exp.National: "N'…' as a plain string",
    exp.WithinGroup: "WITHIN GROUP as arguments",
    exp.Array: "ARRAY as JSON",
    exp.ArrayAgg: "ARRAY_AGG as JSON",
}
