"""A benchmark's SQLite files before they are used: is each one whole, and does nobody write to it?

The judge opens them with immutable=1, which takes no lock and leaves nothing beside them, so what it must not meet is
looked for here: by the file's first 100 bytes (https://sqlite.org/fileformat.html, section 1.3) and by taking the
lock of a reader once. Files are never read whole and never changed.
"""

from pathlib import Path

import apsw

from sql_rl.errors import BusyError, UsageError

MAGIC = b"SQLite format 3\0"
HEADER = 100  # bytes
PATIENCE = 3000  # milliseconds that a writer is waited for


def inspect(path: Path) -> str:
    """What identifies the file's content: its size and its header, which counts changes. As hexadecimal digits.

    Raises UsageError for a file that is no database, was cut off, or has no readable schema, and BusyError for one
    that a writer holds or whose last changes are not in it yet.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(HEADER)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(header) < HEADER or not header.startswith(MAGIC):
        raise UsageError(f"{path}: not an SQLite database; put the benchmark's own file there")
    _check_size(path, size, header)
    in_wal_mode = header[18] == 2
    if in_wal_mode and _size(path.with_name(path.name + "-wal")):
        raise BusyError(
            f"{path}: its latest changes are in {path.name}-wal: a program has it open, or left it so; close that "
            "program, or run `PRAGMA wal_checkpoint(TRUNCATE)` on it, and try again"
        )
    _read_schema(path, immutable=in_wal_mode)
    return f"{size:x}-{header.hex()}"


def _check_size(path: Path, size: int, header: bytes) -> None:
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    counted = header[24:28] == header[92:96]  # else the number of pages was written by a version that did not keep it
    stated = (65536 if page == 1 else page) * pages
    if counted and pages and size < stated:
        raise UsageError(f"{path}: cut off: {size:,} bytes, its header says {stated:,}; copy it anew")


def _read_schema(path: Path, immutable: bool) -> None:
    """Reads the schema as any reader would; immutable: without the files that WAL mode would leave beside it."""
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    try:
        db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            db.set_busy_timeout(PATIENCE)
            db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        finally:
            db.close()
    except (apsw.BusyError, apsw.LockedError):
        raise BusyError(
            f"{path}: the database is locked: a program is writing to it; let it finish and try again"
        ) from None
    except (apsw.ReadOnlyError, apsw.CantOpenError) as error:
        if _size(path.with_name(path.name + "-journal")):
            raise BusyError(
                f"{path}: left in the middle of a change ({path.name}-journal is there); open it once with a program "
                "that may write, so that SQLite takes the change back"
            ) from None
        raise UsageError(f"{path}: cannot be opened: {error}") from None
    except apsw.Error as error:
        raise UsageError(f"{path}: damaged: {error}; put the benchmark's own file there") from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
