"""The job behind `report`, and the last step of distill, train and evaluate: from a run's folder to its report.html."""

from importlib import import_module
from pathlib import Path

from sql_rl.errors import SqlRlError, UsageError
from sql_rl.publish.report.page import rendered
from sql_rl.runs.folder import RunFolder, write_whole

COMMANDS = ("distill", "train", "evaluate")  # each has a module here with a `page`, imported when it is needed


def write_report(path: Path) -> Path:
    """Makes the report of the run in a folder, and gives the path of it; the same folder gives the same bytes, but
    for results that were not reached in time (results.py).

    Raises UsageError for a folder without a run that has ended, SqlRlError where the report cannot be written.
    """
    folder = RunFolder(path)
    summary = folder.read_summary()
    command = summary.get("command")
    if command not in COMMANDS:
        what = f"what `{command}` left" if command else "no run.json"
        raise UsageError(f"{path}: {what}: give the output folder of a `distill`, `train` or `evaluate` that has ended")
    try:
        html = rendered(import_module(f"{__package__}.{command}").page(folder, summary))
    except KeyError as missing:
        raise UsageError(
            f"{path}: {missing} is missing in what the run left: it was stopped before its end, or written by another "
            "version; run its command again"
        ) from missing
    except FileNotFoundError as missing:
        raise UsageError(f"{missing.filename}: missing; run the command that left this folder again") from missing
    report = path / "report.html"
    try:
        write_whole(report, html)
    except OSError as error:
        raise SqlRlError(f"{report}: cannot be written: {error.strerror or error}") from error
    return report
