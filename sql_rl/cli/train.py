"""The command `train`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import DEFAULTS, AsJson, Config, Dataset, Private, PublishTo, Quiet, Split, given
from sql_rl.terminal.manner import manner_of

SECTION = DEFAULTS.train
EXAMPLE = "uv run main.py train --model unsloth/Phi-4 --dataset-repo-id outputs/distill-sample-offline"


def train(
    context: typer.Context,
    model: Annotated[
        str, typer.Option(help="The student: a Hub id, a folder, a .gguf file, or `micro` (made from scratch).")
    ] = SECTION.model,
    dataset_repo_id: Dataset = SECTION.dataset_repo_id,
    split: Split = SECTION.split,
    limit: Annotated[int | None, typer.Option(help="Rows: the first so many.  [default: all]")] = SECTION.limit,
    eval_dataset: Annotated[
        str | None, typer.Option(metavar="DATASET", help="Rows to measure on.  [default: some are held back]")
    ] = SECTION.eval_dataset,
    stage: Annotated[
        str, typer.Option(metavar="sft|grpo|all", help="Imitation, reinforcement, or the one and then the other.")
    ] = SECTION.stage,
    max_steps: Annotated[
        int | None, typer.Option(help="Optimizer steps of every stage that runs.  [default: by epochs]")
    ] = SECTION.max_steps,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of every stage that runs.  [default: sft_ and grpo_learning_rate]")
    ] = SECTION.learning_rate,
    batch_size: Annotated[
        int, typer.Option(help="Rows or completions in one forward pass, on each device.")
    ] = SECTION.batch_size,
    seed: Annotated[int, typer.Option(help="Of new weights, the order of rows, and sampling.")] = SECTION.seed,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="The run's folder; a run in it is resumed.  [default: outputs/train-<dataset>-<model>]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Carry on from the last checkpoint, or start anew.")
    ] = SECTION.resume,
    publish_repo_id: PublishTo = SECTION.publish_repo_id,
    private_repo: Private = SECTION.private_repo,
    quiet: Quiet = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Teach a small model by imitation, then by reinforcement.

    The reward is execution: what the judge says of each query.
    """
    from sql_rl.configure import load

    manner = manner_of(quiet, as_json)
    settings, secrets = load(given(context, "train"), config)

    from sql_rl.terminal.summary import show
    from sql_rl.train.report import closing
    from sql_rl.train.run import train as job

    report = job(settings, secrets, manner)
    if not report.summary:  # another process of `accelerate launch`: the first one tells
        return
    show(closing(report.folder, report.summary, report.unchanged, report.published), manner)
