"""What is seen while a run is going: a live line on a terminal, elsewhere (cron's mail) a plain line now and then."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sql_rl.distill.counters import Counters

HEARTBEAT = 30.0  # seconds between plain lines


class Display:
    """Shows counters as they grow. total: rows of the run, with the `done` that earlier ones have settled.

    On a terminal a live line; without one, every 30 s a line: plain, or the counters as JSON (log_format).
    """

    def __init__(
        self,
        total: int,
        counters: Counters,
        stream: TextIO,
        log_format: str = "plain",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._counters, self._stream, self._clock = total, counters, stream, clock
        self._log_format = log_format
        self._start = self._last = clock()
        self._bar: Progress | None = None
        if stream.isatty():
            self._bar = Progress(
                TextColumn("distill"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[status]}"),
                TextColumn("ETA"),
                TimeRemainingColumn(),
                console=Console(file=stream),
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("distill", total=total, status="")

    def __enter__(self) -> "Display":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def update(self) -> None:
        """Called after each row and once a second, so that time goes on in a run that waits."""
        if self._bar:
            self._bar.update(self._task, completed=self._counters.rows, status=self.status())
        elif self._clock() - self._last >= HEARTBEAT:
            self._last = self._clock()
            print(self._json() if self._log_format == "json" else self._plain(), file=self._stream, flush=True)

    def _plain(self) -> str:
        return f"distill: {self._counters.rows}/{self._total} rows, {self.status()}, {self._eta()}"

    def _json(self) -> str:
        seconds = round(self._clock() - self._start, 1)
        content = {"command": "distill", "total": self._total, "seconds": seconds, **self._counters.as_dict()}
        return json.dumps(content | {"time": datetime.now(UTC).isoformat(timespec="seconds")})

    def status(self) -> str:
        """Accepted share, rows/s, tokens and cost so far."""
        c, seconds = self._counters, max(self._clock() - self._start, 1e-9)
        parts = [f"{share(c.accepted, c.rows)} accepted", f"{c.rows / seconds:.1f} rows/s"]
        if tokens := c.prompt_tokens + c.completion_tokens:
            parts.append(f"{tokens:,} tokens")
        if c.cost_usd:
            parts.append(f"${c.cost_usd:.4f}")
        return ", ".join(parts)

    def _eta(self) -> str:
        c = self._counters
        if not c.rows:
            return "ETA unknown"
        seconds = (self._clock() - self._start) / c.rows * (self._total - c.rows)
        return f"ETA {int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"


def share(part: int, whole: int) -> str:
    """'97.5 %'; '0 %' of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
