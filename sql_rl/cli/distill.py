"""The command `distill`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import (
    DEFAULTS,
    AsJson,
    BaseUrl,
    Config,
    Dataset,
    MaxCost,
    Prices,
    Private,
    PublishTo,
    Quiet,
    ReasoningStyle,
    Resume,
    Rpm,
    Split,
    Templates,
    Tpm,
    given,
)
from sql_rl.terminal.manner import manner_of

SECTION = DEFAULTS.distill
EXAMPLE = "uv run main.py distill --provider offline --dataset-repo-id sample --validate"


def distill(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="The teacher's name at its provider.")] = SECTION.model,
    dataset_repo_id: Dataset = SECTION.dataset_repo_id,
    limit: Annotated[int, typer.Option(help="Rows: the first so many of the split.")] = SECTION.limit,
    provider: Annotated[
        str,
        typer.Option(
            metavar="OpenAI|vLLM|Groq|HuggingFace|Offline",
            help="Who answers. OpenAI is any server that speaks its API; Offline needs no model.",
        ),
    ] = SECTION.provider,
    base_url: BaseUrl = DEFAULTS.base_url,
    batch_size: Annotated[
        int, typer.Option(help="Requests in flight at once: a sliding window, no barrier. vLLM: 256, unless given.")
    ] = SECTION.batch_size,
    rpm: Rpm = SECTION.rpm,
    tpm: Tpm = SECTION.tpm,
    service_tier: Annotated[
        str | None, typer.Option(metavar="TIER", help="Sent to providers that have tiers (flex, priority).")
    ] = SECTION.service_tier,
    batch_api: Annotated[
        bool, typer.Option("--batch-api", help="Ask by the batch (OpenAI, Groq): for less, answers within a day.")
    ] = SECTION.batch_api,
    validate: Annotated[
        bool, typer.Option("--validate", help="Judge each answer by execution against the row's own query.")
    ] = SECTION.validate,
    remove_no_valid: Annotated[
        bool, typer.Option("--remove-no-valid", help="Keep proven rows only; needs --validate.")
    ] = SECTION.remove_no_valid,
    retries: Annotated[
        int, typer.Option(help="Further attempts where an answer came but is no good.")
    ] = SECTION.retries,
    num_generations: Annotated[
        int, typer.Option(help="Fresh answers to each question, before any retry.")
    ] = SECTION.num_generations,
    select: Annotated[
        str, typer.Option(metavar="first|vote", help="Of them: the first good one, or the one most results agree on.")
    ] = SECTION.select,
    show_gold: Annotated[
        str,
        typer.Option(
            metavar="never|on-failure|always", help="May the teacher see the row's own query? Such rows are marked."
        ),
    ] = SECTION.show_gold,
    reasoning_style: ReasoningStyle = SECTION.reasoning_style,
    templates: Templates = None,
    target_accepted: Annotated[
        int | None, typer.Option(metavar="N", help="Go on until N rows are accepted or the source ends.")
    ] = SECTION.target_accepted,
    max_cost: MaxCost = SECTION.max_cost,
    prices: Prices = None,
    log_format: Annotated[
        str, typer.Option(metavar="plain|json", help="Of the lines on stderr where that is no terminal.")
    ] = SECTION.log_format,
    split: Split = SECTION.split,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="The run's folder; a run in it is resumed.  [default: outputs/distill-<dataset>-<model>]"),
    ] = None,
    resume: Resume = SECTION.resume,
    seed: Annotated[
        int | None, typer.Option(help="Sent with each request, for providers that take one.")
    ] = SECTION.seed,
    publish: Annotated[bool, typer.Option("--publish", help="Push the dataset to the Hub.")] = SECTION.publish,
    publish_repo_id: PublishTo = SECTION.publish_repo_id,
    private_repo: Private = SECTION.private_repo,
    use_ray: Annotated[
        bool, typer.Option("--use-ray", help="Spread the run over a Ray cluster (docs/ray.md).")
    ] = SECTION.use_ray,
    ray_workers: Annotated[
        int | None, typer.Option(metavar="N", help="Of it, so many workers.  [default: one for every 4 CPUs]")
    ] = SECTION.ray_workers,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long requests in flight may finish after SIGTERM or Ctrl-C.")
    ] = SECTION.grace,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be asked, and ask nothing.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Have a teacher write reasoning and SQL, and prove each query.

    The questions are a dataset's; with --validate a query is proven by executing it beside the row's own.
    """
    from sql_rl.configure import load

    manner = manner_of(quiet, as_json)
    settings, secrets = load(given(context, "distill"), config)

    from sql_rl.distill.plan import plan, rows_of
    from sql_rl.distill.run import distill as job
    from sql_rl.distill.summary import closing, preview
    from sql_rl.terminal.summary import show

    if dry_run:
        print(preview(plan(settings), rows_of(settings, secrets)))
    else:
        show(closing(job(settings, secrets, manner)), manner)
