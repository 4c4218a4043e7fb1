"""The command `publish`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import AsJson, Private, Quiet
from sql_rl.terminal.manner import manner_of

EXAMPLE = "uv run main.py publish outputs/distill-sample-offline --repo-id me/sample-distilled"


def publish(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The output folder of a run that has ended.")],
    repo_id: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Where on the Hub.  [default: NAMESPACE/<the folder's name>]"),
    ] = None,
    private_repo: Private = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Push what distill or train left to the Hub.

    Only what is not there already is sent.
    """
    from sql_rl.configure import load

    manner = manner_of(quiet, as_json)
    _, secrets = load({})

    from sql_rl.publish.job import closing
    from sql_rl.publish.job import publish as job
    from sql_rl.terminal.summary import show

    show(closing(job(folder, repo_id, private_repo, secrets, manner)), manner)
