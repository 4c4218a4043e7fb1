"""Two runs on the same questions: who is better, how surely, and which questions changed sides. Pure but for reading.

Questions are paired by id; those that only one run has, or whose gold fails, are left out and counted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sql_rl.errors import UsageError
from sql_rl.evaluate.intervals import paired
from sql_rl.evaluate.metrics import METRICS, Result


def read_results(folder: Path) -> list[Result]:
    """The results.jsonl of a finished run. Raises UsageError where there is none, or it is not one of ours."""
    path = folder / "results.jsonl"
    try:
        with path.open(encoding="utf-8") as file:
            return [Result(**json.loads(line)) for line in file]
    except OSError as error:
        raise UsageError(
            f"--compare {folder}: no results of a finished run: {path.name}: {error.strerror or error}"
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: not the results of a run of evaluate: {error}") from error


def check_shared(other: Sequence[Result], asked: Mapping[str, str], name: str) -> None:
    """Raises UsageError where the other run has none of these questions. asked: id -> question."""
    if not any(asked.get(result.id) == result.question for result in other):
        raise UsageError(f"--compare {name}: {len(other):,} questions there, {len(asked):,} here, and none in common")


def compared(other: Sequence[Result], ours: Sequence[Result], name: str) -> dict[str, Any]:
    """The content of comparison.json: for each metric the paired difference (ours less the other's), and who changed.

    name: what the other run is called. Raises UsageError where no question counts in both runs.
    """
    theirs = {result.id: result for result in other}
    check_shared(other, {result.id: result.question for result in ours}, name)
    common = [(theirs[result.id], result) for result in ours if result.id in theirs]
    common = [(a, b) for a, b in common if a.question == b.question and not (a.gold_broken or b.gold_broken)]
    if not common:
        raise UsageError(
            f"--compare {name}: of {len(other):,} questions there and {len(ours):,} here none has a gold that runs"
        )
    return {
        "other": name,
        "questions": len(common),
        "left_out": len(ours) - len(common),
        **{metric: _difference(common, metric) for metric in METRICS},
        "gained": [_changed(a, b) for a, b in common if b.suite and not a.suite],
        "lost": [_changed(a, b) for a, b in common if a.suite and not b.suite],
    }


def _difference(common: Sequence[tuple[Result, Result]], metric: str) -> dict[str, Any]:
    found = paired([getattr(a, metric) for a, _ in common], [getattr(b, metric) for _, b in common])
    return asdict(found) | {"ci95": [round(bound, 6) for bound in found.ci95]}


def _changed(other: Result, ours: Result) -> dict[str, Any]:
    """A question that changed sides on `suite`."""
    return {
        "id": ours.id,
        "db_id": ours.db_id,
        "question": ours.question,
        "gold_sql": ours.gold_sql,
        "other_sql": other.predicted_sql,
        "predicted_sql": ours.predicted_sql,
        "other_verdict": other.verdict,
        "verdict": ours.verdict,
        "reason": ours.reason or other.reason,
    }
