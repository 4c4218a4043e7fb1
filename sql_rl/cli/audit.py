"""The command `audit`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import DEFAULTS, AsJson, Config, Dataset, Quiet, Split, given
from sql_rl.terminal.manner import manner_of

SECTION = DEFAULTS.audit
EXAMPLE = "uv run main.py audit --dataset-repo-id sample"


def audit(
    context: typer.Context,
    dataset_repo_id: Dataset = SECTION.dataset_repo_id,
    split: Split = SECTION.split,
    limit: Annotated[
        int | None, typer.Option(help="Rows: the first so many of the split.  [default: all]")
    ] = SECTION.limit,
    output_dir: Annotated[
        Path | None, typer.Option(help="The folder of the findings.  [default: outputs/audit-<dataset>]")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Find a dataset's broken, open, empty and doubled queries.

    Writes the findings and a cleaned set.
    """
    from sql_rl.configure import load

    manner = manner_of(quiet, as_json)
    settings, secrets = load(given(context, "audit"), config)

    from sql_rl.audit import audit as job
    from sql_rl.audit import closing
    from sql_rl.terminal.summary import show

    show(closing(job(settings, secrets, manner)), manner)
