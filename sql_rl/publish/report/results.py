"""What queries give: the first rows of gold and prediction for the report's rows, run by the judge's workers.

A report must not take longer than is worth waiting for at the end of a run, so that this has bounds in rows and in
seconds; what was not reached says so.
"""

import asyncio
import dataclasses
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sql_rl.examples import Example
from sql_rl.judge import Judge, Table
from sql_rl.settings import JudgeSettings

SHOWN_ROWS = 10
SHOWN_CHARACTERS = 100  # of a text in a cell
MOST_ROWS = 1_000  # of the report, the first ones
SECONDS = 60.0
PAIRS_PER_WORKER = 250  # the start of a worker takes as long as so many pairs
EXACT = 2**53  # the integers of JavaScript's numbers
NOT_RUN = {"error": "Not run for this page."}

Result = dict[str, Any]  # {"columns", "rows", "cut"}, or {"error"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two queries on one database. same: the judge found their results on it equal, so that one is run for both."""

    example: Example
    sql: str | None
    same: bool


def results(pairs: Sequence[Pair], settings: JudgeSettings, seconds: float = SECONDS) -> list[tuple[Result, Result]]:
    """For each pair the result of the gold and of the query, as the page shows them."""
    return asyncio.run(_results(pairs, settings, seconds))


async def _results(pairs: Sequence[Pair], settings: JudgeSettings, seconds: float) -> list[tuple[Result, Result]]:
    found: list[tuple[Result, Result]] = [(NOT_RUN, NOT_RUN)] * len(pairs)

    async def one(number: int, pair: Pair) -> None:
        gold = shown(await judge.run(pair.example, pair.example.gold, SHOWN_ROWS))
        other = gold if pair.same else shown(await judge.run(pair.example, pair.sql, SHOWN_ROWS))
        found[number] = (gold, other)

    if not pairs:
        return found
    most = -(-len(pairs) // PAIRS_PER_WORKER)
    settings = dataclasses.replace(settings, workers=min(settings.workers or os.cpu_count() or 1, most))
    try:
        async with Judge(settings) as judge, asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for number, pair in enumerate(pairs[:MOST_ROWS]):
                group.create_task(one(number, pair))
    except TimeoutError:
        print(f"report: the results of some rows are left out: over {seconds:g} seconds", file=sys.stderr)
    return found


def shown(table: Table) -> Result:
    """A result, long texts cut."""
    if table.error:
        return {"error": table.error}
    return with_cells({"columns": list(table.columns), "rows": table.rows, "cut": table.cut})


def with_cells(result: Result) -> Result:
    """A result whose values are those of a Table, as the page shows it."""
    return {**result, "rows": [list(map(cell, row)) for row in result["rows"]]}


def cell(value: Any) -> Any:
    """A value as JSON and the browser have it, a long text cut. Numbers that they have not are texts."""
    if isinstance(value, dict):
        value = f"x'{value['blob']}'"
    elif isinstance(value, float) and math.isinf(value):
        value = "Inf" if value > 0 else "-Inf"  # as SQLite's shell writes it
    elif isinstance(value, int) and abs(value) > EXACT:
        value = str(value)
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return value[: SHOWN_CHARACTERS - 1] + "…"
    return value
