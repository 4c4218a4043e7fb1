"""The commands of a sitting, as one table, and what a line that was typed means."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from sql_rl.chat.sitting import Sitting
from sql_rl.errors import UsageError

LEAVE = "/exit"


@dataclass(frozen=True, slots=True)
class Command:
    """argument: as help writes it, '' for none. act: what it does, given the argument."""

    name: str
    argument: str
    text: str
    act: Callable[[Sitting, str], None]


def _help(sitting: Sitting, _: str) -> None:
    for command in COMMANDS:
        sitting.screen.line(f"  {f'{command.name} {command.argument}':<18} {command.text}")
    sitting.screen.line("  Anything else is a question. Enter on an empty line runs the query that was shown.")


def _leave(sitting: Sitting, _: str) -> None:
    raise EOFError


COMMANDS = (
    Command("/schema", "[TABLE]", "the definitions of the tables, or of one", Sitting.schema),
    Command("/tables", "", "tables and views with their columns", Sitting.tables),
    Command("/sql", "[SELECT …]", "the last query; with SQL, run your own, read-only too", Sitting.sql),
    Command("/run", "", "run the last query (again)", Sitting.run),
    Command("/retry", "[WORDS]", "ask again; with words, say what is wrong with the answer", Sitting.retry),
    Command("/last", "", "the last question, reasoning, query and rows", Sitting.last),
    Command("/explain", "", "how the database would run the last query", Sitting.explain),
    Command("/export", "FILE.csv", "write all rows of the last query", Sitting.export),
    Command("/load", "FILE", "add a .sql, .csv or .parquet file to the database in memory", Sitting.load),
    Command("/history", "", "what was typed last", Sitting.history),
    Command("/help", "", "this list", _help),
    Command(LEAVE, "", "leave (so does Ctrl-D)", _leave),
)
_BY_NAME = {command.name: command for command in COMMANDS}


def obey(sitting: Sitting, line: str) -> None:
    """Does what the line says: a command, a question, or Enter alone, which runs the query that waits.

    Raises EOFError to leave, UsageError for a command that there is not, and what the commands raise.
    """
    line = line.strip()
    if not line:
        if sitting.waiting:
            sitting.run()
        return
    if not line.startswith("/"):
        sitting.ask(line)
        return
    name, _, argument = line.partition(" ")
    if name not in _BY_NAME:
        close = difflib.get_close_matches(name, _BY_NAME, n=1)
        raise UsageError(
            f"{name}: no such command" + (f"; did you mean {close[0]}?" if close else "; /help lists them")
        )
    _BY_NAME[name].act(sitting, argument.strip())
