"""The commands: options and help, nothing else. Every job is imported inside its command, so that `--help` is quick.

Defaults are those of `settings.py`. Only what was really given on the command line is handed on (`_given`), so that
the environment and config.yaml count where a flag was left out.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sql_rl import __version__
from sql_rl.errors import SqlRlError
from sql_rl.settings import Settings

DEFAULTS = Settings()
DISTILL = DEFAULTS.distill
AUDIT = DEFAULTS.audit
TRAIN = DEFAULTS.train

app = typer.Typer(
    name="sql-rl",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help takes three times as long to appear
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def run() -> None:
    """Runs the command line. What a person can act on is one line on stderr and an exit code (errors.py)."""
    try:
        app()
    except SqlRlError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("error: interrupted; the same command carries on", file=sys.stderr)
        sys.exit(3)


def _given(context: typer.Context, section: str) -> dict[str, Any]:
    """The flags of a command as settings: dotted path -> value, for those that stand on the command line.

    A flag is a key of its section, or, where the section has none of that name, a key at the top.
    """
    own = type(getattr(DEFAULTS, section)).__dataclass_fields__
    top = type(DEFAULTS).__dataclass_fields__
    flags = {}
    for name, value in context.params.items():
        if context.get_parameter_source(name).name == "COMMANDLINE" and (name in own or name in top):
            flags[f"{section}.{name}" if name in own else name] = str(value) if isinstance(value, Path) else value
    return flags


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Make small language models reason about SQL: distil proven reasoning, then train on it."""


Dataset = Annotated[
    str, typer.Option(help="A Hub id, a .jsonl, .json, .csv or .parquet file, a folder saved by datasets, or `sample`.")
]
Split = Annotated[str, typer.Option(help="Which split of the dataset.")]
PublishTo = Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Where on the Hub to publish to.")]
Private = Annotated[bool, typer.Option("--private-repo", help="Make the published repository private.")]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Settings; flags win over them.  [default: config.yaml]")
]


@app.command(epilog="Example: uv run main.py distill --provider offline --dataset-repo-id sample --validate")
def distill(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="The teacher's name at its provider.")] = DISTILL.model,
    dataset_repo_id: Dataset = DISTILL.dataset_repo_id,
    limit: Annotated[int, typer.Option(help="Rows: the first so many of the split.")] = DISTILL.limit,
    provider: Annotated[
        str,
        typer.Option(
            metavar="OpenAI|vLLM|Groq|HuggingFace|Offline",
            help="Who answers. OpenAI is any server that speaks its API; Offline needs no model.",
        ),
    ] = DISTILL.provider,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="An OpenAI-compatible API, up to and with /v1.")
    ] = DEFAULTS.base_url,
    batch_size: Annotated[
        int, typer.Option(help="Requests in flight at once: a sliding window, no barrier.")
    ] = DISTILL.batch_size,
    rpm: Annotated[int | None, typer.Option(help="Requests in any minute at most.")] = DISTILL.rpm,
    tpm: Annotated[int | None, typer.Option(help="Tokens in any minute at most.")] = DISTILL.tpm,
    service_tier: Annotated[
        str | None, typer.Option(metavar="TIER", help="Sent to providers that have tiers (flex, priority).")
    ] = DISTILL.service_tier,
    batch_api: Annotated[
        bool, typer.Option("--batch-api", help="Ask by the batch (OpenAI, Groq): for less, answers within a day.")
    ] = DISTILL.batch_api,
    validate: Annotated[
        bool, typer.Option("--validate", help="Judge each answer by execution against the row's own query.")
    ] = DISTILL.validate,
    remove_no_valid: Annotated[
        bool, typer.Option("--remove-no-valid", help="Keep proven rows only; needs --validate.")
    ] = DISTILL.remove_no_valid,
    retries: Annotated[
        int, typer.Option(help="Further attempts where an answer came but is no good.")
    ] = DISTILL.retries,
    num_generations: Annotated[
        int, typer.Option(help="Fresh answers to each question, before any retry.")
    ] = DISTILL.num_generations,
    select: Annotated[
        str, typer.Option(metavar="first|vote", help="Of them: the first good one, or the one most results agree on.")
    ] = DISTILL.select,
    show_gold: Annotated[
        str,
        typer.Option(
            metavar="never|on-failure|always", help="May the teacher see the row's own query? Such rows are marked."
        ),
    ] = DISTILL.show_gold,
    reasoning_style: Annotated[
        str, typer.Option(metavar="free|query-plan", help="Reason in prose, or in the steps of a query plan.")
    ] = DISTILL.reasoning_style,
    templates: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Prompt templates of your own (docs/distillation.md).")
    ] = None,
    target_accepted: Annotated[
        int | None, typer.Option(metavar="N", help="Go on until N rows are accepted or the source ends.")
    ] = DISTILL.target_accepted,
    max_cost: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="Ask nothing that could take the run's cost over it.")
    ] = DISTILL.max_cost,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Prices of models, beside the bundled ones.")
    ] = None,
    log_format: Annotated[
        str, typer.Option(metavar="plain|json", help="Of the lines on stderr where that is no terminal.")
    ] = DISTILL.log_format,
    split: Split = DISTILL.split,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="The run's folder; a run in it is resumed.  [default: outputs/distill-<dataset>-<model>]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Carry on, or start anew (the old journal is kept).")
    ] = DISTILL.resume,
    seed: Annotated[
        int | None, typer.Option(help="Sent with each request, for providers that take one.")
    ] = DISTILL.seed,
    publish: Annotated[bool, typer.Option("--publish", help="Push the dataset to the Hub.")] = DISTILL.publish,
    publish_repo_id: PublishTo = DISTILL.publish_repo_id,
    private_repo: Private = DISTILL.private_repo,
    use_ray: Annotated[bool, typer.Option("--use-ray", help="Spread the run over a Ray cluster.")] = DISTILL.use_ray,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be asked, and ask nothing.")] = False,
    config: Config = None,
) -> None:
    """Have a teacher write reasoning and SQL for a dataset's questions, and prove each query by execution."""
    from sql_rl.configure import load

    settings, secrets = load(_given(context, "distill"), config)

    from sql_rl.distill.plan import plan, rows_of
    from sql_rl.distill.run import distill as job
    from sql_rl.distill.summary import closing, preview

    if dry_run:
        print(preview(plan(settings), rows_of(settings, secrets)))
    else:
        print(closing(job(settings, secrets)))


@app.command(epilog="Example: uv run main.py audit --dataset-repo-id sample")
def audit(
    context: typer.Context,
    dataset_repo_id: Dataset = AUDIT.dataset_repo_id,
    split: Split = AUDIT.split,
    limit: Annotated[
        int | None, typer.Option(help="Rows: the first so many of the split.  [default: all]")
    ] = AUDIT.limit,
    output_dir: Annotated[
        Path | None, typer.Option(help="The folder of the findings.  [default: outputs/audit-<dataset>]")
    ] = None,
    config: Config = None,
) -> None:
    """Judge a dataset's own queries: broken, open, empty or doubled ones; write findings and a cleaned set."""
    from sql_rl.configure import load

    settings, secrets = load(_given(context, "audit"), config)

    from sql_rl.audit import audit as job

    print(job(settings, secrets).text)


@app.command(
    epilog="Example: uv run main.py train --model unsloth/Phi-4 --dataset-repo-id outputs/distill-sample-offline"
)
def train(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="The student: a Hub id or a folder.")] = TRAIN.model,
    dataset_repo_id: Dataset = TRAIN.dataset_repo_id,
    publish_repo_id: PublishTo = TRAIN.publish_repo_id,
    private_repo: Private = TRAIN.private_repo,
    config: Config = None,
) -> None:
    """Teach a small model on distilled rows (not there yet: it checks its settings and says so)."""
    from sql_rl.configure import load
    from sql_rl.errors import UsageError

    settings, _ = load(_given(context, "train"), config)
    raise UsageError(
        f"train is not there yet: {settings.train.model} would learn from {settings.train.dataset_repo_id}; "
        "until it is, TRL's SFTTrainer takes the `messages` column of what distill writes"
    )
