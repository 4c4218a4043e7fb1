"""One question, one answer: for scripts. The rows go to stdout, all else to stderr."""

import json
import sys
from typing import Any, TextIO

from sql_rl.chat.cells import records, unique
from sql_rl.chat.databases.base import QueryError, StoppedByHand
from sql_rl.chat.databases.supervise import Result, fetch
from sql_rl.chat.screen import Screen, counted, write
from sql_rl.chat.turn import Asker, Turn
from sql_rl.errors import SqlRlError, StoppedEarlyError
from sql_rl.settings.chat import ChatSettings


def answer(
    question: str,
    asker: Asker,
    screen: Screen,
    settings: ChatSettings,
    as_json: bool = False,
    out: TextIO | None = None,
) -> None:
    """Asks, runs, writes: the rows in the form of the settings, or all there is to tell as one line of JSON.

    out: standard output where it is not given.
    Raises SqlRlError where there is no answer, StoppedEarlyError at Ctrl-C.
    """
    try:
        turn = asker.ask(question, screen)
        try:
            result = _run(turn, asker, screen, settings)
        except QueryError as error:
            if turn.repaired or not error.repairable:
                raise
            turn = asker.repair(turn, error.reason, screen)
            result = _run(turn, asker, screen, settings)
    except StoppedByHand:
        raise StoppedEarlyError("stopped before there was an answer") from None
    except QueryError as error:
        raise SqlRlError(error.reason) from None
    except KeyboardInterrupt:
        raise StoppedEarlyError("stopped before there was an answer") from None
    out = out or sys.stdout
    try:
        if as_json:
            print(json.dumps(_told(question, turn, result), ensure_ascii=False), file=out)
        else:
            write(result, settings.format, out)
        out.flush()
    except BrokenPipeError:  # whoever reads has enough
        raise
    except OSError as error:
        raise SqlRlError(f"the rows cannot be written: {error.strerror}") from None
    except UnicodeEncodeError as error:
        lacking = error.object[error.start]
        raise SqlRlError(f"the rows hold {lacking!a}, which {error.encoding} has not: set PYTHONUTF8=1") from None
    screen.line(counted(result), "dim")


def _told(question: str, turn: Turn, result: Result) -> dict[str, Any]:
    """more: there are rows behind these. Of columns whose names are alike the later ones have a number."""
    return {
        "question": question,
        "sql": turn.sql,
        "columns": unique(result.columns),
        "rows": records(result.columns, result.rows),
        "more": result.more,
        "seconds": round(result.seconds, 3),
    }


def _run(turn: Turn, asker: Asker, screen: Screen, settings: ChatSettings) -> Result:
    if turn.sql:
        screen.sql(turn.sql)
    if turn.problem:
        raise QueryError(turn.problem, repairable=False)
    return fetch(asker.database, turn.sql, settings.max_rows, settings.seconds)
