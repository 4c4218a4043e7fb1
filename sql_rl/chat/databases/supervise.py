"""Queries under supervision: in a thread of their own, stopped at the end of their time or by Ctrl-C.

One way for every engine: the thread that waits tells the database to cancel until the query has ended.
"""

import csv
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from sql_rl.chat.cells import for_csv
from sql_rl.chat.databases.base import Database, QueryError, StoppedByHand
from sql_rl.errors import UsageError

T = TypeVar("T")
_AGAIN = 0.1  # seconds between two tries to cancel: the first may come before the query has begun
_PATIENCE = 15.0  # seconds; a server that is no more there is not waited for


@dataclass(frozen=True, slots=True)
class Result:
    """The first rows of a result. more: whether there are others behind them. seconds: until they were here."""

    columns: tuple[str, ...]
    rows: list[tuple]
    more: bool
    seconds: float


def fetch(database: Database, sql: str, limit: int, seconds: float) -> Result:
    """The first `limit` rows of a query, which has that many seconds. Raises QueryError."""
    start = time.monotonic()

    def work() -> Result:
        with database.rows(sql, seconds) as result:
            rows = list(islice(result.rows, limit + 1))
            return Result(result.columns, rows[:limit], len(rows) > limit, time.monotonic() - start)

    return supervised(database, work, seconds)


def export(database: Database, sql: str, path: Path) -> int:
    """Writes all rows of a query as CSV, as they come; how many. It has all the time that it needs.

    The file is there only when it is whole. Raises QueryError; UsageError where it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")

    def work() -> int:
        count = 0
        with database.rows(sql, None) as result, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(result.columns)
            for row in result.rows:
                writer.writerow(map(for_csv, row))
                count += 1
        return count

    try:
        count = supervised(database, work, None)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return count


def supervised(database: Database, work: Callable[[], T], seconds: float | None) -> T:
    """What `work` returns, which runs a query on the database. Raises QueryError where it is stopped."""
    job: Future[T] = Future()
    begins = Lock()
    begun = stopped = False

    def run() -> None:
        nonlocal begun
        with begins:
            if stopped:
                return
            begun = True
        try:
            job.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            job.set_exception(error)

    # No executor: Ctrl-C may come at any point, and leaving an executor waits for what nobody has cancelled yet.
    try:
        Thread(target=run, daemon=True).start()
        wait([job], seconds)
        if job.done():
            return job.result()
        why = QueryError(f"it was stopped after {seconds} s (--seconds)")
    except KeyboardInterrupt:
        why = StoppedByHand("stopped", repairable=False)
    with begins:
        stopped = True  # where Ctrl-C came before the thread began (it may yet begin): it does nothing then
    give_up = time.monotonic() + _PATIENCE
    while begun and not job.done() and time.monotonic() < give_up:
        database.cancel()
        wait([job], _AGAIN)
    if begun and not job.done():
        raise QueryError(f"{database.name} does not stop the query: /exit leaves it to itself", repairable=False)
    raise why
