"""Verdict and Judgement: what the judge says of one query.

Rewards, filters, metrics and reports are each a small mapping from `Verdict`; nobody works with floats.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How a query fares against the reference query (the gold) of its example."""

    MATCH = "match"  # the same answer on the given data and on every variant
    MISMATCH = "mismatch"  # it runs, and answers something else
    LUCKY = "lucky"  # the same answer on the given data only: some variant tells it apart
    ERROR = "error"  # the database refuses it (syntax, unknown column, …), or it is not one statement
    TIMEOUT = "timeout"  # over the budget of steps or seconds
    TOO_BIG = "too_big"  # over the bounds on memory, value length or rows
    UNSAFE = "unsafe"  # it asks for what a judged query may not do: write, attach, load, change a setting
    NO_SQL = "no_sql"  # there is no query in the answer
    GOLD_BROKEN = "gold_broken"  # context or gold cannot run: no verdict on the student


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what a person needs to understand it.

    reason: one line; '' for a match. For a mismatch it tells the shape of the difference (row and column counts,
    order) and never a value of the gold's result, so that it may be shown to a teacher.
    executed_sql: the SQLite text that ran, None where nothing ran. dialect: the dialect the query was read in.
    rewrites: what was changed to run it on SQLite, a short phrase each.
    database: which one decided, 'given' or 'variant 3'; '' where none was reached.
    rows: how many rows the query returned on the given database (cut at the gold's count plus one).
    undetermined: why a match is weaker than it looks ('gold is empty on every database', …), '' if it is not.
    seconds: wall time in the worker; it varies from run to run, so it takes no part in equality.
    """

    verdict: Verdict
    reason: str = ""
    executed_sql: str | None = None
    dialect: str = ""
    rewrites: tuple[str, ...] = ()
    database: str = ""
    rows: int | None = None
    undetermined: str = ""
    seconds: float = field(default=0.0, compare=False)
