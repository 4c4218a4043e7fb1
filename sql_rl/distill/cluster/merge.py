"""From the workers' journals into the run's: every line once, whoever wrote it and however often it is taken in.

A worker's journal is a file of its own in the run's folder, under `workers/`, and is held locked while its worker
lives. A line is known by the hash of what was asked, so that taking in is idempotent; a file is removed when all of it
is in the run's journal and safe there.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sql_rl.distill.journal import Journal, line_in
from sql_rl.errors import BusyError
from sql_rl.runs.drive import Stop

ORPHANS_END = 40.0  # seconds that workers of a run that died get to notice it
LOOK_AGAIN = 0.2  # seconds


class Intake:
    """One worker's journal, taken in piece by piece while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def take_in(self, journal: Journal, stop: Stop | None = None) -> list[dict[str, Any]]:
        """Adds what has been written since the last time; gives the lines that were new to the journal.

        A line that is not ended yet is left for the next time, and so is everything once `stop` is set. Raises
        SqlRlError for a line that cannot be read, and where there is no room for one.
        """
        new = []
        try:
            file = self.path.open("rb")  # opened anew each time, by which NFS sees what other machines wrote
        except FileNotFoundError:
            return new
        with file:
            file.seek(self._offset)
            for data in file:
                if stop or not data.endswith(b"\n"):
                    break
                line = line_in(data, f"{self.path}: the line at byte {self._offset}")
                if line["kind"] != "run" and journal.get(line["kind"], line["key"]) is None:
                    journal.add(line["kind"], line["key"], line)
                    new.append(line)
                self._offset += len(data)
        return new

    def remove(self) -> None:
        """The file goes, and its worker's reserve with it; what was taken in has to be synced by then."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".reserve").unlink(missing_ok=True)


def take_in_left_over(folder: Path, journal: Journal) -> int:
    """Takes in what workers of a run that died have left in `folder`, and removes it. How many lines were new.

    A worker that still lives notices in a while that it has no driver: it is waited for, so that no answer that it
    has paid for is asked again. Raises BusyError (exit code 75) where it does not end.
    """
    new = 0
    for path in sorted(folder.glob("*.jsonl")):
        if not has_ended(path, ORPHANS_END):
            raise BusyError(f"{path}: a worker of an earlier run still writes to it: end it first")
        intake = Intake(path)
        new += len(intake.take_in(journal))
        journal.sync()
        intake.remove()
    clear(folder)
    return new


def clear(folder: Path) -> None:
    """Removes the folder of the workers, and the probes in it, once no journal is left there."""
    if folder.is_dir() and not any(folder.glob("*.jsonl")):
        for path in [*folder.glob("*.probe"), *folder.glob("*.reserve")]:
            path.unlink()
        with suppress(OSError):  # somebody else put something there
            folder.rmdir()


def has_ended(path: Path, within: float) -> bool:
    """Does the process that writes this journal end within so many seconds? Waits for it."""
    deadline = time.monotonic() + within
    while True:
        try:
            with locked(path):
                return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_AGAIN)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a worker's journal; the system lets go of it however the process ends.

    Raises BlockingIOError where another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
