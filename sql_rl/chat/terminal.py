"""The conversation on a terminal: a line with history and completion, and one answer after another.

Ctrl-C stops what is under way (an answer, a query, a line half typed), never the program; Ctrl-D leaves it.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.shortcuts import CompleteStyle

from sql_rl.answers import encodable
from sql_rl.chat.commands import COMMANDS, obey
from sql_rl.chat.databases.base import QueryError
from sql_rl.chat.screen import Screen
from sql_rl.chat.sitting import Sitting
from sql_rl.chat.turn import Asker
from sql_rl.errors import SqlRlError
from sql_rl.settings.chat import ChatSettings

ASK, CONFIRM = "ask> ", "Enter runs it> "


def converse(asker: Asker, screen: Screen, settings: ChatSettings) -> None:
    """Until the user leaves."""
    past = history(history_file(os.environ), screen)
    session: PromptSession[str] = PromptSession(
        history=past,
        completer=WordCompleter([command.name for command in COMMANDS], sentence=True),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        reserve_space_for_menu=0,
        enable_open_in_editor=True,
    )
    sitting = Sitting(asker, screen, settings, past.get_strings)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # but where a step can be stopped, and in the line editor
    try:
        while _step(session, sitting, screen):
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def _step(session: PromptSession[str], sitting: Sitting, screen: Screen) -> bool:
    """Reads a line and does what it says; whether the user stays."""
    try:
        line = encodable(session.prompt(CONFIRM if sitting.waiting else ASK))  # a key may be no UTF-8
        with _stoppable():
            obey(sitting, line)
    except EOFError:
        return False
    except KeyboardInterrupt:
        sitting.waiting = False
        screen.notice("stopped")
    except QueryError as error:
        screen.problem(error.reason)
    except SqlRlError as error:
        screen.problem(str(error))
    return True


@contextmanager
def _stoppable() -> Iterator[None]:
    """Inside, Ctrl-C raises KeyboardInterrupt, once: pressed again it shall not disturb the stopping."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def history_file(environ: Mapping[str, str]) -> Path:
    """Where lines are kept: the user's folder for state (freedesktop.org's Base Directory Specification)."""
    state = environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return folder / "sql-rl" / "chat_history"


def history(path: Path, screen: Screen) -> History:
    """The lines in that file, which nobody else may read; of this sitting only where it cannot be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with path.open("ab"):
            pass
    except OSError as error:
        screen.notice(f"no history is kept: {path}: {error.strerror}")
        return InMemoryHistory()
    return FileHistory(path)
