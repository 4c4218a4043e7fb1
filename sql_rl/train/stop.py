"""Stop: a signal asks a run to end in good order. Imports nothing heavy, so that it listens from the first second."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sql_rl.errors import StoppedEarlyError


class Stop:
    """Set by SIGTERM or Ctrl-C: the step under way is finished and saved. A second signal ends the process."""

    def __init__(self) -> None:
        self.signal: str | None = None

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Takes both signals while the block runs."""

        def received(number: int, _: Any) -> None:
            if self.signal:
                raise KeyboardInterrupt
            self.signal = signal.Signals(number).name
            print(f"{self.signal}: saving after this step; once more stops at once", file=sys.stderr)

        before = {s: signal.signal(s, received) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self, where: str) -> None:
        """Raises StoppedEarlyError if a signal came. where: 'at step 3 of grpo'."""
        if self.signal:
            raise StoppedEarlyError(f"stopped by {self.signal} {where}; the same command carries on")
