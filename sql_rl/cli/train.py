"""The command `train`."""

from typing import Annotated

import typer

from sql_rl.cli.options import DEFAULTS, Config, Dataset, Private, PublishTo, given

SECTION = DEFAULTS.train
EXAMPLE = "uv run main.py train --model unsloth/Phi-4 --dataset-repo-id outputs/distill-sample-offline"


def train(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="The student: a Hub id or a folder.")] = SECTION.model,
    dataset_repo_id: Dataset = SECTION.dataset_repo_id,
    publish_repo_id: PublishTo = SECTION.publish_repo_id,
    private_repo: Private = SECTION.private_repo,
    config: Config = None,
) -> None:
    """Teach a small model on distilled rows (not there yet: it checks its settings and says so)."""
    from sql_rl.configure import load
    from sql_rl.errors import UsageError

    settings, _ = load(given(context, "train"), config)
    raise UsageError(
        f"train is not there yet: {settings.train.model} would learn from {settings.train.dataset_repo_id}; "
        "until it is, TRL's SFTTrainer takes the `messages` column of what distill writes"
    )
