"""What is seen while a job is going: a live line on a terminal, elsewhere (cron's mail) a plain line now and then."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TextIO

from sql_rl.terminal.manner import Manner

if TYPE_CHECKING:
    from rich.progress import Progress

HEARTBEAT = 30.0  # seconds between plain lines
ROOM_FOR_A_BAR = 110  # columns of a terminal
RECENT = 4  # of them: the rate that an ETA is told by; what an earlier start had done is there at once


class Tally(Protocol):
    """What a display shows of a job: how much is done, in words, and as counters."""

    @property
    def done(self) -> int: ...

    def status(self, seconds: float) -> str:
        """In a few words, `seconds` after the start: '97.5 % accepted, 3.3 rows/s, $0.0123'."""
        ...

    def as_dict(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class Count:
    """The plainest Tally: how many are done, and how quickly."""

    done: int = 0

    def status(self, seconds: float) -> str:
        if 0 < self.done < seconds:
            return f"{seconds / self.done:.1f} s each"
        return f"{self.done / max(seconds, 1e-9):.1f} a second"

    def as_dict(self) -> dict[str, Any]:
        return {"done": self.done}


class Display:
    """Shows a tally as it grows. name: the command; total, unit: how many of what it is going to be.

    On a terminal a live line; without one, every 30 s a line: plain, or the tally as JSON (log_format). Quiet shows
    nothing. Lines go to `stream` (stderr), so that stdout is the result's alone.
    """

    def __init__(
        self,
        name: str,
        total: int,
        tally: Tally,
        stream: TextIO,
        unit: str = "rows",
        log_format: Literal["plain", "json"] = "plain",
        manner: Manner = "person",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._total, self._unit, self._tally = name, total, unit, tally
        self._stream, self._clock, self._log_format, self._quiet = stream, clock, log_format, manner == "quiet"
        self._start = self._last = clock()
        self._marks: deque[tuple[float, int]] = deque([(0.0, tally.done)], maxlen=RECENT + 1)
        self._bar: Progress | None = None
        if stream.isatty() and not self._quiet:
            self._bar = _bar(name, stream)
            self._task = self._bar.add_task(name, total=total, status="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def update(self) -> None:
        """Called after each step and once a second, so that time goes on in a job that waits."""
        now = self._clock()
        if self._bar:
            self._bar.update(self._task, completed=self._tally.done, status=self._tally.status(now - self._start))
        elif now - self._last >= HEARTBEAT and not self._quiet:
            self._last = now
            line = self._json(now - self._start) if self._log_format == "json" else self._plain(now - self._start)
            print(line, file=self._stream, flush=True)

    def _plain(self, seconds: float) -> str:
        done = self._tally.done
        before, done_then = self._marks[0]
        self._marks.append((seconds, done))
        more = done - done_then
        eta = clock_time((seconds - before) / more * (self._total - done)) if more else "unknown"
        return f"{self._name}: {done}/{self._total} {self._unit}, {self._tally.status(seconds)}, ETA {eta}"

    def _json(self, seconds: float) -> str:
        content = {"command": self._name, "total": self._total, "seconds": round(seconds, 1), **self._tally.as_dict()}
        return json.dumps(content | {"time": datetime.now(UTC).isoformat(timespec="seconds")})


def _bar(name: str, stream: TextIO) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
    from rich.table import Column
    from rich.text import Text

    class Status(TextColumn):
        """What a narrow terminal cuts, where it would take a bit of everything, the counts and the ETA too."""

        def render(self, task: Task) -> Text:
            text = super().render(task)
            text.no_wrap, text.overflow = True, "ellipsis"
            return text

    console = Console(file=stream)
    return Progress(
        TextColumn(name, table_column=Column(no_wrap=True)),
        *([BarColumn(bar_width=20, table_column=Column(no_wrap=True))] if console.width >= ROOM_FOR_A_BAR else []),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        Status("{task.fields[status]}", table_column=Column(no_wrap=False)),
        TextColumn("ETA", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=console,
        refresh_per_second=4,
    )


def clock_time(seconds: float) -> str:
    """'1:02:03'."""
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"


def share(part: int, whole: int) -> str:
    """'97.5 %'; '0 %' of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
