"""The command `audit`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import DEFAULTS, Config, Dataset, Split, given

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
    config: Config = None,
) -> None:
    """Judge a dataset's own queries: broken, open, empty or doubled ones; write findings and a cleaned set."""
    from sql_rl.configure import load

    settings, secrets = load(given(context, "audit"), config)

    from sql_rl.audit import audit as job

    print(job(settings, secrets).text)
