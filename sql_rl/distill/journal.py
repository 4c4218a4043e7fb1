"""The journal: one line for each finished request, appended at once, never changed.

A crash, even kill -9, can cost only what is on the wire: whatever has a line here is never asked again. The first
line says which run it is; a torn last line is cut off; other lines that cannot be read are an error, since they
would be paid twice. In memory there is one integer for each line, not its text.

Line kinds: `run` (the first), `completion` (what a teacher answered), `refusal` (a request that must not be sent
again), `judgement` (what the judge said of a query), `vote` (which of several queries agree), `batch`, `submitted` and
`harvested` (requests that travel together, batches/ledger.py). No two kinds begin with the same letter, by which the
index tells them apart.
"""

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from sql_rl.errors import SqlRlError, UsageError
from sql_rl.runs.drive import Stop

VERSION = 2
# Room kept on the disk so that what is on the wire when it fills up still finds a place: bytes for each request.
RESERVE_PER_REQUEST = 32_768


def key_of(content: Mapping[str, Any], texts: Iterable[str] = ()) -> str:
    """The key of what was asked: the first 128 bits of a SHA-256, in hex.

    Hashed are the texts, each after its length, then the canonical JSON of `content`. What is long belongs into
    texts: to make JSON of it takes five times as long as to hash it.
    """
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())
    return digest.hexdigest()[:32]


def line_in(data: bytes, place: str) -> dict[str, Any]:
    """A journal's line as it was written. Raises SqlRlError, with the place of it, for one that is damaged."""
    try:
        content = json.loads(data)
        if content["kind"] == "run" or _index(content["kind"], content["key"]):
            return content
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        pass  # said below, with the place
    raise SqlRlError(
        f"{place} is damaged; take it out by hand (its request is paid again) or start anew with --no-resume"
    )


class Journal:
    """An open journal. Not safe for two processes: the run holds a lock on the folder.

    path: created with its `run` line if it is not there. identity: what makes it this run and no other; a journal
    with another is refused (UsageError, exit 2) saying what differs. window: requests in flight, for the reserve.
    on_full: called once when the disk has no more room and the reserve is given up, so that what is in flight can
    still be kept; nothing new should be asked from then on.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], window: int, on_full: Callable[[], None]) -> None:
        self.path = path
        self._on_full = on_full
        self._full = False
        self._offsets: dict[bytes, int] = {}
        self._reserve = path.with_suffix(".reserve")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            self._end = self._read(identity)
            self._hold_reserve(window * RESERVE_PER_REQUEST)
            if self._end == 0:
                self._append({"kind": "run", "version": VERSION, "identity": dict(identity)})
        except OSError as error:
            raise _cannot_write(path, error) from error

    def __len__(self) -> int:
        """How many keys have a line."""
        return len(self._offsets)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The line of that kind and key, None if there is none."""
        offset = self._offsets.get(_index(kind, key))
        return None if offset is None else self._at(offset)

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """The lines of that kind that are there now, in the order in which they were added."""
        letter = kind[0].encode()
        for offset in [offset for index, offset in self._offsets.items() if index[:1] == letter]:
            yield self._at(offset)

    def _at(self, offset: int) -> dict[str, Any]:
        length = 4096
        while b"\n" not in (line := os.pread(self._fd, length, offset)):
            length *= 4
        return json.loads(line[: line.index(b"\n")])

    def add(self, kind: str, key: str, content: Mapping[str, Any]) -> None:
        """Appends a line, where there is none of that kind and key, and hands it to the operating system.

        Raises SqlRlError when the disk is full and the reserve used up: nothing that had a line is lost.
        """
        if (index := _index(kind, key)) not in self._offsets:
            self._offsets[index] = self._append({"kind": kind, "key": key, **content})

    def sync(self) -> None:
        """Makes what was written survive a power cut too. Raises SqlRlError where the storage does not keep it."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        """Syncs and gives the reserve back."""
        try:
            self.sync()
        finally:
            os.close(self._fd)
            self._reserve.unlink(missing_ok=True)

    def _append(self, line: Mapping[str, Any]) -> int:
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        start = self._end
        try:
            self._write(data, start)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or self._full:
                raise _cannot_write(self.path, error) from error
            self._full = True
            self._reserve.unlink(missing_ok=True)
            self._on_full()
            try:
                self._write(data, start)
            except OSError as again:
                raise _cannot_write(self.path, again) from again
        return start

    def _write(self, data: bytes, start: int) -> None:
        """All of `data` or nothing: a short write (a disk that fills up half-way) is taken back."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, start)
            raise
        self._end = start + len(data)

    def _read(self, identity: Mapping[str, Any]) -> int:
        """Indexes the lines; the length of the good part, after cutting off a torn last line."""
        offset = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._fd, offset)
                    break
                content = line_in(line, f"{self.path}: line {number}")
                if number == 1:
                    self._same_run(content, identity)
                else:
                    self._offsets[_index(content["kind"], content["key"])] = offset
                offset += len(line)
        return offset

    def _same_run(self, first: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        if first.get("kind") != "run" or first.get("version") != VERSION:
            raise UsageError(
                f"{self.path}: written by another version of this program (journal version {first.get('version')}, "
                f"this one writes {VERSION}); use another --output-dir"
            )
        was, now = first["identity"], json.loads(json.dumps(dict(identity)))
        differs = [f"{k}: {was.get(k)!r} there, {now.get(k)!r} now" for k in {**was, **now} if was.get(k) != now.get(k)]
        if differs:
            raise UsageError(
                f"{self.path.parent} holds another run ({'; '.join(differs)}); "
                "use another --output-dir, the same settings, or --no-resume to start anew"
            )

    def _hold_reserve(self, size: int) -> None:
        with self._reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size) if hasattr(os, "posix_fallocate") else file.truncate(size)


async def keep_synced(journal: Journal, stop: Stop) -> None:
    """Syncs, in a thread. Where that fails nothing more is asked, since it would be paid for and lost."""
    try:
        await asyncio.to_thread(journal.sync)
    except SqlRlError as error:
        stop.set(error)


def _index(kind: str, key: str) -> bytes:
    return kind[0].encode() + bytes.fromhex(key)


def _cannot_write(path: Path, error: OSError) -> SqlRlError:
    return SqlRlError(
        f"{path}: cannot be written: {error.strerror or error}; nothing finished is lost: "
        "make room (or another --output-dir) and run the same command again"
    )


def retire(path: Path) -> Path | None:
    """Moves a journal aside for a run that starts anew: what was paid for is never deleted. Its new name, if any."""
    if not path.exists():
        return None
    number = 1
    while (old := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return path.rename(old)
