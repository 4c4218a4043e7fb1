"""A report made in a process of its own, so that its plots and rows are no part of a run's memory, and gone with it."""

import os
import subprocess
import sys
from pathlib import Path

from sql_rl.errors import SqlRlError


def place(path: Path) -> list[str]:
    """Where the report of a run's folder is, as a note of the closing summary; nothing where there is none."""
    report = path / "report.html"
    return [f"report: {report}"] if report.exists() else []


def write_report_apart(path: Path) -> None:
    """Has `write_report` make the report of the run in a folder. Raises SqlRlError with what it said if it fails."""
    root = str(Path(__file__).parents[3])
    ended = subprocess.run(
        [sys.executable, "-m", "sql_rl.publish.report", str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise SqlRlError(f"no report: {said[-1].removeprefix('error: ')}; the run itself is whole")
