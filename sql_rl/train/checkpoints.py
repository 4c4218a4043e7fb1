"""Checkpoints that a run can be carried on from, exactly.

transformers writes weights, optimizer, scheduler and random states; this module adds what it does not know (the
sampler, the best evaluation) in state.json, which is written last: a checkpoint without it is not whole, and the one
before it counts. Nothing here imports torch.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl.errors import UsageError
from sql_rl.runs.folder import write_whole

STATE = "state.json"
IDENTITY = "identity.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint. step: optimizer steps done. state: what this project keeps beside transformers' files."""

    path: Path
    step: int
    state: dict[str, Any]


def complete(path: Path, state: dict[str, Any]) -> None:
    """Makes a checkpoint whole."""
    write_whole(path / STATE, json.dumps(state))


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """The latest whole checkpoint of a stage's folder; broken ones are removed."""
    found = None
    for path in sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2])):
        try:
            state = json.loads((path / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(path)
            continue
        found = Checkpoint(path, int(path.name.rpartition("-")[2]), state)
    return found


def claim(folder: Path, identity: dict[str, Any]) -> None:
    """Notes what this run is, or finds that it is the one in the folder.

    Raises UsageError where the folder holds a run of another model, dataset or settings: the first that differs.
    """
    path = folder / IDENTITY
    if not path.exists():
        write_whole(path, json.dumps(identity, indent=2) + "\n")
        return
    known = json.loads(path.read_text(encoding="utf-8"))
    for name in dict.fromkeys([*identity, *known]):
        if known.get(name) != identity.get(name):
            raise UsageError(
                f"{folder}: its checkpoints are of another run: {name} was {known.get(name)!r}, now it is "
                f"{identity.get(name)!r}; give another --output-dir, or --no-resume to start anew"
            )


def clear(folder: Path, names: tuple[str, ...]) -> None:
    """Removes what an earlier run left, so that a new one starts from nothing."""
    for name in (*names, IDENTITY):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
