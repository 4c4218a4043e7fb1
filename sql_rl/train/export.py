"""What a run hands over: what was trained, and the same as merged 16-bit weights that load anywhere, proven equal."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sql_rl.students import Student
from sql_rl.students.export import verify
from sql_rl.train.data import Row

GGUF = "gguf"


def export(
    student: Student, folder: Path, rows: Sequence[Row], max_tokens: int, quantization: str | None = None
) -> dict[str, Any]:
    """Writes adapter/ (or model/, where all weights were trained) and merged/, each whole or not at all.

    rows: whose prompts both answer to be compared. quantization: of a gguf/ beside them, by an Unsloth student only.
    Returns the names of the folders and how they compare.
    Raises SqlRlError where the merged weights are not the model that was trained.
    """
    trained = "model" if student.kind == "full" else "adapter"
    for part, save in ((trained, student.save), ("merged", student.save_merged)):
        fresh = folder / f".{part}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        save(fresh)
        shutil.rmtree(folder / part, ignore_errors=True)
        fresh.replace(folder / part)
    verified = verify(student, folder / "merged", [r.prompt for r in rows], max_tokens)
    found = {"trained": trained, "merged": "merged", "verified": dataclasses.asdict(verified)}
    if quantization:
        student.save_gguf(folder / GGUF, quantization)
        found[GGUF] = GGUF
    return found
