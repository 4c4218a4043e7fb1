"""Where a measurement was made: a line for below a table, so that nobody takes its times for those of another place."""

import os
import platform
import subprocess
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent


def machine() -> str:
    """Cores that this process may use, processor, Python, commit (and whether files differ from it), day, load."""
    model = next((line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0))
    named = f"{cores} cores" if cores > 1 else "1 core"
    return (
        f"{named} of {model or platform.machine()}, Python {platform.python_version()}, commit {_commit()}, "
        f"{date.today().isoformat()}, load {os.getloadavg()[0]:.1f} at the end"
    )


def _commit() -> str:
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name or 'unknown'}{' with changes' if _git('status', '--porcelain', '--untracked-files=no') else ''}"


def _git(*arguments: str) -> str:
    ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip()


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []
