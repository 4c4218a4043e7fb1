"""The command `chat`."""

from typing import Annotated

import typer

from sql_rl.cli.options import DEFAULTS, BaseUrl, Config, given
from sql_rl.errors import UsageError
from sql_rl.terminal.manner import manner_of

SECTION = DEFAULTS.chat
EXAMPLE = 'uv run main.py chat --db sqlite:///shop.sqlite -q "Which customers ordered nothing this year?"'


def chat(
    context: typer.Context,
    model: Annotated[
        str, typer.Option(help="The model's name at its provider; with --provider local a folder or a Hub id.")
    ] = SECTION.model,
    provider: Annotated[
        str,
        typer.Option(
            metavar="OpenAI|Groq|HuggingFace|local",
            help="Who answers. OpenAI is any server that speaks its API, local a student on this machine.",
        ),
    ] = SECTION.provider,
    base_url: BaseUrl = DEFAULTS.base_url,
    db: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="sqlite:///FILE, duckdb:///FILE or postgresql://…; only ever read.  [default: empty, in memory]",
        ),
    ] = SECTION.db,
    question: Annotated[
        str | None, typer.Option("--question", "-q", metavar="TEXT", help="Answer this once and exit.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option(metavar="table|csv|json", help="With -q: how the rows are written to stdout.")
    ] = SECTION.format,
    run_at_once: Annotated[
        bool, typer.Option("--yes", "-y", help="Run each query at once, without Enter.")
    ] = SECTION.run_at_once,
    max_rows: Annotated[int, typer.Option(help="Rows of a result that are shown.")] = SECTION.max_rows,
    seconds: Annotated[float, typer.Option(help="How long a query may run.")] = SECTION.seconds,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="With -q: the rows on stdout, and on stderr only what went wrong.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With -q: question, query and rows as one line of JSON; else as --quiet.")
    ] = False,
    config: Config = None,
) -> None:
    """Ask a database in plain words; it is only ever read.

    A model writes the query, you see it, the database runs it.
    """
    from sql_rl.configure import load

    manner, flags = manner_of(quiet, as_json), given(context, "chat")
    if as_json and "chat.format" in flags:
        raise UsageError("--json and --format contradict each other: give one of them (--format json: the rows alone)")
    settings, secrets = load(flags, config)

    from sql_rl.chat.chat import chat as job

    job(settings, secrets, question, manner)
