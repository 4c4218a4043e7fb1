"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import Quiet
from sql_rl.terminal.manner import manner_of

EXAMPLE = "uv run main.py report outputs/distill-sample-offline"


def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The output folder of a run that has ended.")],
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as one line of JSON.")] = False,
) -> None:
    """Make a run's report.html again, and print where it is."""
    manner = manner_of(quiet, as_json)

    from sql_rl.publish.report.job import write_report
    from sql_rl.terminal.summary import Summary, show

    path = str(write_report(folder))
    show(Summary(title=path, content={"folder": str(folder), "report": path}), manner)
