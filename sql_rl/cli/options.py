"""What several commands share: their common options, and which flags really stood on the command line."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sql_rl.settings import Settings

DEFAULTS = Settings()

Dataset = Annotated[
    str, typer.Option(help="A Hub id, a .jsonl, .json, .csv or .parquet file, a folder saved by datasets, or `sample`.")
]
Split = Annotated[str, typer.Option(help="Which split of the dataset.")]
PublishTo = Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Where on the Hub to publish to.")]
Private = Annotated[bool, typer.Option("--private-repo", help="Make the published repository private.")]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Settings; flags win over them.  [default: config.yaml]")
]
BaseUrl = Annotated[str | None, typer.Option(metavar="URL", help="An OpenAI-compatible API, up to and with /v1.")]
Rpm = Annotated[int | None, typer.Option(help="Requests in any minute at most.")]
Tpm = Annotated[int | None, typer.Option(help="Tokens in any minute at most.")]
MaxCost = Annotated[
    float | None, typer.Option(metavar="DOLLARS", help="Ask nothing that could take the run's cost over it.")
]
Prices = Annotated[Path | None, typer.Option(metavar="FILE", help="Prices of models, beside the bundled ones.")]
Templates = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Prompt templates of your own (docs/distillation.md).")
]
ReasoningStyle = Annotated[
    str, typer.Option(metavar="free|query-plan", help="Reason in prose, or in the steps of a query plan.")
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Carry on, or start anew (the old journal is kept).")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but what went wrong.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the closing summary as one line of JSON.")]


def given(context: typer.Context, section: str) -> dict[str, Any]:
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
