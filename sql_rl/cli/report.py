"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "uv run main.py report outputs/distill-sample-offline"


def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The output folder of a run that has ended.")],
) -> None:
    """Make a run's report.html again, and print where it is."""
    from sql_rl.publish.report.job import write_report

    print(write_report(folder))
