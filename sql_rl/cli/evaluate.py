"""The command `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from sql_rl.cli.options import (
    DEFAULTS,
    AsJson,
    BaseUrl,
    Config,
    MaxCost,
    Prices,
    Quiet,
    ReasoningStyle,
    Resume,
    Rpm,
    Templates,
    Tpm,
    given,
)
from sql_rl.terminal.manner import manner_of

SECTION = DEFAULTS.evaluate
EXAMPLE = "uv run main.py evaluate --benchmark spider --predictions predictions.sql"


def evaluate(
    context: typer.Context,
    benchmark: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="A folder in Spider's or BIRD's layout, or rows: a file, a folder, a Hub id."
        ),
    ] = SECTION.benchmark,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Queries to measure: one a line, JSONL, or BIRD's JSON.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model to ask instead; of a local one a folder, a file or a Hub id.")
    ] = SECTION.model,
    provider: Annotated[
        str,
        typer.Option(
            metavar="OpenAI|vLLM|Groq|HuggingFace|Local",
            help="Who answers. OpenAI is any server that speaks its API; Local runs the model here.",
        ),
    ] = SECTION.provider,
    base_url: BaseUrl = DEFAULTS.base_url,
    temperature: Annotated[
        float | None, typer.Option(help="Of the answer that is measured; 0 is greedy.")
    ] = SECTION.temperature,
    samples: Annotated[
        int, typer.Option(metavar="N", help="Further answers to each question, for pass@k and vote@N.")
    ] = SECTION.samples,
    compare: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Another run of evaluate: the paired difference from it.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Questions: the first so many of the benchmark.  [default: all]")
    ] = SECTION.limit,
    split: Annotated[
        str | None, typer.Option(help="Of rows: which split.  [default: train of a file, test of a Hub id]")
    ] = SECTION.split,
    reasoning_style: ReasoningStyle = SECTION.reasoning_style,
    templates: Templates = None,
    batch_size: Annotated[
        int,
        typer.Option(help="Requests in flight at once; prompts in a batch of a local model. vLLM: 256, unless given."),
    ] = SECTION.batch_size,
    rpm: Rpm = SECTION.rpm,
    tpm: Tpm = SECTION.tpm,
    max_cost: MaxCost = SECTION.max_cost,
    prices: Prices = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="The run's folder; a run in it is resumed.  [default: outputs/evaluate-<benchmark>-<model>]"),
    ] = None,
    resume: Resume = SECTION.resume,
    quiet: Quiet = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Measure a model or a file of predictions as the benchmarks do.

    Our own judge measures beside them.
    """
    from sql_rl.configure import load

    manner = manner_of(quiet, as_json)
    settings, secrets = load(given(context, "evaluate"), config)

    from sql_rl.evaluate.output import closing
    from sql_rl.evaluate.run import evaluate as job
    from sql_rl.terminal.summary import show

    report = job(settings, secrets, manner)
    show(closing(report.folder, report.summary, report.metrics, report.comparison, report.unchanged), manner)
