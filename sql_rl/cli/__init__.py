"""The commands: options and help, nothing else. Every job is imported inside its command, so that `--help` is quick.

One file for each command. Defaults are those of the settings. Only what was really given on the command line is handed
on (`options.given`), so that the environment and config.yaml count where a flag was left out.
"""

import functools
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from sql_rl import __version__
from sql_rl.cli import audit, chat, distill, evaluate, publish, report, train
from sql_rl.errors import SqlRlError, StoppedEarlyError

app = typer.Typer(
    name="sql-rl",
    epilog="Example: uv run main.py distill --provider offline --dataset-repo-id sample --validate",
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


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Ctrl-C where no job listens for it, such as a download, is a stop like others; typer would exit with 130."""

    @functools.wraps(command)
    def run_command(*arguments: Any, **keywords: Any) -> None:
        try:
            command(*arguments, **keywords)
        except KeyboardInterrupt:
            raise StoppedEarlyError("interrupted; the same command carries on") from None

    return run_command


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


for command in (distill, audit, train, evaluate, chat, publish, report):
    name = command.__name__.rpartition(".")[2]
    app.command(name=name, epilog=f"Example: {command.EXAMPLE}")(_interruptible(getattr(command, name)))
