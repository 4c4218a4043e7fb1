"""What judged SQL may do, and how much of everything it may use.

Promise: `execute` runs one statement and either returns its rows or raises `Stopped` with the verdict; it never
changes what its rights do not cover, never touches a file, and ends within the budget unless a single opcode or a
Python function runs on, which the parent process ends by killing the worker (`pool.py`).

The layers, from the inside: SQLITE_LIMIT_LENGTH and its siblings (https://sqlite.org/limits.html) keep one opcode
small; a progress handler counts virtual-machine steps, so that slow and fast machines give the same verdict; the
authorizer (https://sqlite.org/c3ref/set_authorizer.html) refuses everything that is not reading, or writing `main`
where the example changes data; a hard heap limit bounds SQLite, RLIMIT_AS the process (`confine`).
"""

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import apsw

from sql_rl.judge.dialects.functions import ADDED, DICE, register
from sql_rl.judge.undecodable import columns_of, decoded, in_bytes
from sql_rl.judge.verdict import Verdict

TICK = 5_000  # virtual-machine steps between two looks at the budget: some 0.1 ms
WEIGHED = 50  # rows between two looks at the size of a result
MAX_VALUE = 1_000_000  # bytes; the longest string, blob or row
ADDRESS_SPACE = 512 * 2**20  # bytes; resident memory cannot exceed it

MOST_PARAMETERS = 1000  # at least as many as a table may have columns: rows are inserted with them
LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: MAX_VALUE,
    apsw.SQLITE_LIMIT_COLUMN: 1000,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 500,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 200,
    apsw.SQLITE_LIMIT_VDBE_OP: 250_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 100,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: MOST_PARAMETERS,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 20,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}


class Stopped(Exception):  # noqa: N818 - the outcome of a query, not a failure of ours
    """A query that ended without an answer: the verdict, and one line that says why."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason


class Rights(Enum):
    """READ: queries only. PLAIN: queries with the functions that SQLite has by itself. CHANGE: also the rows, tables,
    views, indexes and triggers of `main`."""

    READ = "read"
    PLAIN = "plain"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Budget:
    """steps: virtual-machine steps; deadline: on time.monotonic(); rows: returned at most, the rest is cut off;
    memory: bytes that SQLite may take beyond what it holds, and that the returned values may fill."""

    steps: int
    deadline: float
    rows: int
    memory: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement returned. rows: at most the budget's; cut: whether there were more."""

    columns: tuple[str, ...]
    rows: list[tuple]
    cut: bool


_READING = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
_CHANGING = {
    apsw.SQLITE_INSERT: "INSERT",
    apsw.SQLITE_UPDATE: "UPDATE",
    apsw.SQLITE_DELETE: "DELETE",
    apsw.SQLITE_CREATE_TABLE: "CREATE TABLE",
    apsw.SQLITE_CREATE_INDEX: "CREATE INDEX",
    apsw.SQLITE_CREATE_VIEW: "CREATE VIEW",
    apsw.SQLITE_CREATE_TRIGGER: "CREATE TRIGGER",
    apsw.SQLITE_DROP_TABLE: "DROP TABLE",
    apsw.SQLITE_DROP_INDEX: "DROP INDEX",
    apsw.SQLITE_DROP_VIEW: "DROP VIEW",
    apsw.SQLITE_DROP_TRIGGER: "DROP TRIGGER",
    apsw.SQLITE_ALTER_TABLE: "ALTER TABLE",
    apsw.SQLITE_REINDEX: "REINDEX",
}
_FORBIDDEN = {
    apsw.SQLITE_PRAGMA: "PRAGMA",
    apsw.SQLITE_ATTACH: "ATTACH",
    apsw.SQLITE_DETACH: "DETACH",
    apsw.SQLITE_TRANSACTION: "a transaction",
    apsw.SQLITE_SAVEPOINT: "SAVEPOINT",
    apsw.SQLITE_ANALYZE: "ANALYZE",
    apsw.SQLITE_CREATE_VTABLE: "a virtual table",
    apsw.SQLITE_DROP_VTABLE: "a virtual table",
    apsw.SQLITE_CREATE_TEMP_TABLE: "a temporary table",
    apsw.SQLITE_CREATE_TEMP_VIEW: "a temporary view",
    apsw.SQLITE_CREATE_TEMP_TRIGGER: "a temporary trigger",
    apsw.SQLITE_CREATE_TEMP_INDEX: "a temporary index",
}
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_FORBIDDEN_TABLES = ("pragma_", "dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used")


class _Authorizer:
    """Refuses what the rights do not cover, and remembers the first thing it refused."""

    def __init__(self, rights: Rights) -> None:
        self.changes = rights is Rights.CHANGE
        self.functions = _FORBIDDEN_FUNCTIONS | ADDED if rights is Rights.PLAIN else _FORBIDDEN_FUNCTIONS
        self.refused = ""

    def __call__(self, action: int, first: str | None, second: str | None, schema: str | None, _: str | None) -> int:
        if action in _READING:
            if action == apsw.SQLITE_FUNCTION and (second or "").lower() in self.functions:
                return self._refuse(f"the function {second}")
            if action == apsw.SQLITE_READ and (first or "").lower().startswith(_FORBIDDEN_TABLES):
                return self._refuse(f"the table {first}")
            return apsw.SQLITE_OK
        if action in _CHANGING:
            # ALTER TABLE names its database first, and looks through the schema of temp, which nothing else reaches.
            place = first if action == apsw.SQLITE_ALTER_TABLE else schema
            if self.changes and (place in ("main", None) or first in ("sqlite_temp_master", "sqlite_temp_schema")):
                return apsw.SQLITE_OK
            if first and first.startswith("sqlite_"):
                return self._refuse("a change of the schema")
            return self._refuse(f"{_CHANGING[action]} {first or ''}".strip())
        if action == apsw.SQLITE_PRAGMA and first == "data_version" and second is None:
            return apsw.SQLITE_OK  # a number that full-text tables ask for with each query
        return self._refuse(_FORBIDDEN.get(action, f"action {action}"))

    def _refuse(self, what: str) -> int:
        self.refused = self.refused or what
        return apsw.SQLITE_DENY


def execute(db: apsw.Connection, sql: str, rights: Rights, budget: Budget, distinct: bool = False) -> Answer:
    """Run one statement of SQLite's dialect under `rights` and within `budget`. distinct: equal rows are kept once.

    Raises Stopped: unsafe, timeout, too_big or error. Changes are made in place: run them on a copy.
    """
    with guarded(db, rights, budget):
        try:
            return _fetch(db.cursor(), sql, budget, distinct)
        except UnicodeDecodeError:
            if rights is Rights.CHANGE:  # it may have changed something by now
                raise
        columns = columns_of(db, sql)
        answer = _fetch(db.cursor(), in_bytes(sql, len(columns)), budget, distinct)
        return Answer(columns, [decoded(row) for row in answer.rows], answer.cut)


@contextmanager
def guarded(db: apsw.Connection, rights: Rights, budget: Budget) -> Iterator[None]:
    """Inside, what runs on `db` is under `rights` and within the budget's steps, deadline and memory.

    Raises Stopped as `execute` does, for what ends a statement in the block.
    """
    guard = _Authorizer(rights)
    steps_left = budget.steps

    def over_budget() -> bool:
        nonlocal steps_left
        steps_left -= TICK
        return steps_left < 0 or time.monotonic() > budget.deadline

    db.authorizer = guard
    db.set_progress_handler(over_budget, min(TICK, budget.steps))
    apsw.hard_heap_limit(apsw.memory_used() + budget.memory)
    DICE.reset()
    try:
        yield
    except apsw.InterruptError:
        spent = "steps" if steps_left < 0 else "seconds"
        raise Stopped(Verdict.TIMEOUT, f"it was stopped: over the budget of {spent}") from None
    except TimeoutError:
        raise Stopped(Verdict.TIMEOUT, "it was stopped: a pattern takes too long on a text") from None
    except (apsw.TooBigError, apsw.NoMemError, MemoryError) as error:
        raise Stopped(Verdict.TOO_BIG, f"it was stopped: {error or 'out of memory'}") from None
    except apsw.AuthError as error:
        raise Stopped(Verdict.UNSAFE, f"not allowed: {guard.refused or error}") from None
    except apsw.BindingsError:
        raise Stopped(Verdict.ERROR, "it has parameters, and there is nothing to bind to them") from None
    except UnicodeDecodeError:
        raise Stopped(Verdict.ERROR, "a text that it works on is not UTF-8") from None
    except (apsw.Error, UnicodeEncodeError, ValueError) as error:
        if guard.refused:
            raise Stopped(Verdict.UNSAFE, f"not allowed: {guard.refused}") from None
        raise Stopped(Verdict.ERROR, one_line(str(error))) from None
    finally:
        apsw.hard_heap_limit(0)
        db.set_progress_handler(None)
        db.authorizer = None


def _fetch(cursor: apsw.Cursor, sql: str, budget: Budget, distinct: bool) -> Answer:
    rows: list[tuple] = []
    seen: set[tuple] = set()
    size = 0
    columns: tuple[str, ...] = ()

    def describe(statement: apsw.Cursor, *_: object) -> bool:
        nonlocal columns  # here, because a finished cursor no longer tells
        columns = tuple(name for name, *_ in statement.get_description())
        return True

    cursor.exec_trace = describe
    try:
        for row in cursor.execute(sql, can_cache=False):
            if distinct:
                if row in seen:
                    continue
                seen.add(row)
            if len(rows) == budget.rows:
                return Answer(columns, rows, cut=True)
            rows.append(row)
            if len(rows) % WEIGHED == 0:
                size += sum(map(size_of, rows[-WEIGHED:]))
                if size > budget.memory:
                    raise MemoryError(f"a result of more than {budget.memory // 2**20} MB")
        return Answer(columns, rows, cut=False)
    finally:
        cursor.close(True)


def size_of(row: Iterable[object]) -> int:
    """Bytes that the row's texts and blobs fill; numbers count as 8."""
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)


def one_line(text: str, width: int = 300) -> str:
    """The text on one line, cut to `width` characters: hostile names end up in error messages."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


class FixedClock(apsw.VFS):
    """SQLite's clock stopped at one instant, so that CURRENT_DATE and date('now') give the same for ever.

    A VFS of its own (https://sqlite.org/vfs.html) whose files are the default one's. Open connections with
    `vfs=clock.name`; the instant is read as UTC.
    """

    def __init__(self, now: str) -> None:
        instant = datetime.fromisoformat(now)
        utc = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        self.now = utc.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._julian_ms = round((utc.timestamp() / 86_400 + 2_440_587.5) * 86_400_000)
        self.name = f"clock-{self._julian_ms}"
        super().__init__(self.name, "")

    def xCurrentTime(self) -> float:  # noqa: N802 - named by SQLite
        """The instant as a Julian day number."""
        return self._julian_ms / 86_400_000

    def xCurrentTimeInt64(self) -> int:  # noqa: N802
        """The instant in milliseconds of Julian days."""
        return self._julian_ms


def open_memory(clock: FixedClock) -> apsw.Connection:
    """An empty database in memory, fit for `execute`."""
    return fit(apsw.Connection(":memory:", vfs=clock.name, statementcachesize=0), clock.now)


def open_file(path: Path, clock: FixedClock) -> apsw.Connection:
    """An SQLite file, fit for `execute`: read where it lies, never loaded whole, never changed, nothing beside it.

    Raises Stopped if it cannot be opened.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        return fit(apsw.Connection(uri, flags=flags, vfs=clock.name, statementcachesize=0), clock.now)
    except (apsw.Error, OSError) as error:
        raise Stopped(Verdict.GOLD_BROKEN, f"the database {path.name}: {one_line(str(error))}") from None


def fit(db: apsw.Connection, now: str) -> apsw.Connection:
    """The connection with the limits and functions of judged SQL. now: what NOW() gives, 'YYYY-MM-DD HH:MM:SS'."""
    for category, bound in LIMITS.items():
        db.limit(category, bound)
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    register(db, now)
    return db


def confine(parent: int) -> None:
    """Fence in this process: memory, core dumps, signals, and its life, which ends with process `parent`.

    To be called before the first connection is opened. Linux kills the process with its parent (prctl
    PR_SET_PDEATHSIG); elsewhere it ends when its pipe closes, or by the alarm that `worker.py` sets.
    """
    for limit, bound in ((resource.RLIMIT_AS, ADDRESS_SPACE), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        wanted = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        if sys.platform != "darwin" or limit != resource.RLIMIT_AS:  # macOS refuses to bound the address space
            resource.setrlimit(limit, (wanted, wanted))
    apsw.shutdown()  # hundreds of small databases are held open: without a reserve of 48 kB in each
    apsw.config(apsw.SQLITE_CONFIG_LOOKASIDE, 0, 0)
    apsw.initialize()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the parent's to answer: it drains
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)
