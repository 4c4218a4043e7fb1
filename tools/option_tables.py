"""Writes README's tables of commands and options from the program itself, so that they cannot lie.

    uv run tools/option_tables.py           # rewrites README.md between its markers
    uv run tools/option_tables.py --check   # exit code 1 if that would change it

A table stands between `<!-- options: distill -->` (or `<!-- commands -->`) and `<!-- end -->`.
"""

import re
import sys
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from sql_rl.cli import app

README = Path(__file__).parent.parent / "README.md"
_MARKED = re.compile(r"(<!-- (?:commands|options: (?P<command>\w+)) -->\n).*?(<!-- end -->)", re.DOTALL)
_DEFAULT_IN_HELP = re.compile(r"\s*\[default: (?P<default>.*?)\]")


def with_tables(text: str) -> str:
    """`text` with every marked table written anew. Raises KeyError for a command that there is not."""
    commands = typer.main.get_command(app).commands

    def table(match: re.Match[str]) -> str:
        name = match["command"]
        return match[1] + (options_of(commands[name]) if name else list_of(commands)) + match[3]

    return _MARKED.sub(table, text)


def list_of(commands: dict[str, TyperCommand]) -> str:
    """A line for each command: its name and what it does."""
    lines = [f"| `{name}` | {_sentence(command.help)} |\n" for name, command in commands.items()]
    return "| command | what it does |\n|---|---|\n" + "".join(lines)


def options_of(command: TyperCommand) -> str:
    """A line for each option and argument: names, default, help."""
    lines = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        text = getattr(parameter, "help", None) or ""
        in_help = _DEFAULT_IN_HELP.search(text)
        default = in_help["default"] if in_help else _default(parameter)
        text = _DEFAULT_IN_HELP.sub("", text) + _choices(parameter)
        in_words = " " in default and "<" not in default  # what a help says in words is no value
        shown = default if not default or in_words else f"`{default}`"
        lines.append(f"| {_names(parameter)} | {shown} | {_cell(text)} |\n")
    return "| option | default | |\n|---|---|---|\n" + "".join(lines)


def _names(parameter: TyperArgument | TyperOption) -> str:
    if isinstance(parameter, TyperArgument):
        return f"`{parameter.metavar}`"
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: TyperArgument | TyperOption) -> str:
    if parameter.default is None or isinstance(parameter, TyperArgument):
        return ""
    if isinstance(parameter.default, bool):
        if parameter.secondary_opts:
            return (parameter.opts if parameter.default else parameter.secondary_opts)[0]
        return "yes" if parameter.default else "no"
    return _cell(str(parameter.default))


def _choices(parameter: TyperArgument | TyperOption) -> str:
    """The values of an option whose metavar lists them: 'first|vote'."""
    choices = (parameter.metavar or "").split("|")
    return f" One of {', '.join(f'`{choice}`' for choice in choices)}." if len(choices) > 1 else ""


def _sentence(text: str | None) -> str:
    return _cell(" ".join((text or "").split("\n\n")[0].split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()


def main(check: bool) -> int:
    text = README.read_text(encoding="utf-8")
    renewed = with_tables(text)
    if check:
        return int(renewed != text)
    README.write_text(renewed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
