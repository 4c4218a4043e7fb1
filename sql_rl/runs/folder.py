"""The output folder of a run: its files, and the lock that keeps a second run out."""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sql_rl.errors import BusyError, UsageError


class RunFolder:
    """Paths of what a run leaves. path: the folder, created by `held`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal.jsonl"
        self.workers = path / "workers"
        self.data = path / "data"
        self.rejected = path / "rejected"
        self.summary = path / "run.json"
        self.card = path / "README.md"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Creates the folder and holds its lock; the system lets go of it however the process ends.

        Raises BusyError (exit 75) where another run holds it, UsageError where it cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UsageError(
                f"{self.path}: cannot be written: {error.strerror or error}; choose another --output-dir"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(f"{self.path}: another run holds this folder") from None
        try:
            yield
        finally:
            os.close(descriptor)

    def read_summary(self) -> dict[str, Any]:
        """run.json, {} where there is none or it was torn: it is derived, so its loss costs nothing."""
        try:
            content = json.loads(self.summary.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """run.json, whole or not at all."""
        write_whole(self.summary, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader, or a crash, never sees half of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def default_folder(command: str, *names: str) -> Path:
    """outputs/<command>-<name>-…: the same command finds its run again. Of a path or Hub id, the last part counts."""
    slug = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", Path(name).name).strip("-.") for name in names)
    return Path("outputs") / f"{command}-{slug}"
