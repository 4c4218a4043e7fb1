"""The settings of the judge."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """Is this query right? Budgets are for one query on one database unless they say otherwise."""

    variants: Annotated[int, Ge(0), Le(64), "databases; generated beside the given one to tell near misses apart"] = 8
    seed: Annotated[int, Ge(0), "the variants are drawn from it; same seed, same verdicts"] = 0
    steps: Annotated[int, Ge(1000), "SQLite virtual-machine steps; the same on slow and fast machines"] = 20_000_000
    seconds: Annotated[float, Gt(0), "seconds; wall clock for one whole judgement, beside the step budget"] = 5.0
    memory_mb: Annotated[int, Ge(16), Le(384), "MB; SQLite's hard heap limit in a worker"] = 256
    max_rows: Annotated[int, Ge(1), "rows; a gold result larger than this is not judged"] = 100_000
    column_order: Annotated[Literal["any", "given"], "may the columns stand in another order than the gold's?"] = "any"
    now: Annotated[str, "ISO date and time; what NOW() and CURRENT_DATE return, so verdicts do not age"] = (
        "2024-06-01 12:00:00"
    )
    workers: Annotated[int, Ge(0), "processes; 0 is one for each core"] = 0
    cache_mb: Annotated[int, Ge(1), "MB; built databases and gold results kept in each worker"] = 64
