"""One question, one answer: for scripts. The rows go to stdout, all else to stderr."""

import sys
from typing import TextIO

from sql_rl.chat.databases.base import QueryError
from sql_rl.chat.databases.supervise import Result, fetch
from sql_rl.chat.screen import Screen, counted, write
from sql_rl.chat.turn import Asker, Turn
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.settings.chat import ChatSettings


def answer(question: str, asker: Asker, screen: Screen, settings: ChatSettings, out: TextIO = sys.stdout) -> None:
    """Asks, runs, writes. Raises SqlRlError where there is no answer, StoppedEarlyError at Ctrl-C."""
    try:
        turn = asker.ask(question, screen)
        try:
            result = _run(turn, asker, screen, settings)
        except QueryError as error:
            if turn.repaired or not error.repairable:
                raise
            result = _run(asker.repair(turn, error.reason, screen), asker, screen, settings)
    except QueryError as error:
        raise SqlRlError(error.reason) from None
    except KeyboardInterrupt:
        raise StoppedEarlyError("stopped before there was an answer") from None
    write(result, settings.format, out)
    out.flush()
    screen.line(counted(result), "dim")


def _run(turn: Turn, asker: Asker, screen: Screen, settings: ChatSettings) -> Result:
    if turn.sql:
        screen.sql(turn.sql)
    if turn.problem:
        raise QueryError(turn.problem, repairable=False)
    return fetch(asker.database, turn.sql, settings.max_rows, settings.seconds)
