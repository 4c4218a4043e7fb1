"""What a run writes down as it goes: a line for each logged step, and samples of what the student wrote.

    metrics.jsonl   {"stage", "step", …}: what TRL logs, the judge's verdict shares, seconds; and greedy evaluations
    samples.jsonl   {"stage", "step", "row", "question", "text", "sql", "verdict", "reason", "rewards"}

A run that is carried on from a checkpoint first cuts off what lies behind it, so that no step is there twice.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sql_rl.runs.folder import write_whole


class Lines:
    """A file of JSON lines, each with a stage and a step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, stage: str, step: int, records: Iterable[Mapping[str, Any]]) -> None:
        """Appends records; a number that is none (NaN of a group without a reward) becomes null."""
        with self._path.open("a", encoding="utf-8") as file:
            for record in records:
                line = {"stage": stage, "step": step} | {k: _finite(v) for k, v in record.items()}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; a last one that was torn is not one."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def cut(self, stage: str, step: int, later: Iterable[str]) -> None:
        """Forgets what was written of `stage` after `step`, and of the stages that come later."""
        gone = set(later)
        kept = [r for r in self.read() if r["stage"] not in gone and (r["stage"] != stage or r["step"] <= step)]
        write_whole(self._path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
