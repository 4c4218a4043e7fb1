"""The job `chat`: opens the database and the model, and lets the user ask."""

import sys
from contextlib import closing

from rich.console import Console

from sql_rl.answers import encodable
from sql_rl.chat.databases import open_database
from sql_rl.chat.databases.base import Database, QueryError
from sql_rl.chat.models import open_model
from sql_rl.chat.once import answer
from sql_rl.chat.screen import Screen
from sql_rl.chat.turn import Asker
from sql_rl.chat.uri import parse_uri
from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.prompts import load_prompts
from sql_rl.settings import Settings
from sql_rl.terminal.manner import Manner


def chat(settings: Settings, secrets: Secrets, question: str | None, manner: Manner = "person") -> None:
    """Answers the question and returns, or without one talks until the user leaves, who is a person then.

    Raises UsageError for what is wrong before anything was asked, and what `once.answer` raises.
    """
    if question is None and manner != "person":
        raise UsageError('--quiet and --json go with -q "question"')
    if question is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError('chat needs a terminal; in a script, ask with -q "question"')
    if question is not None and not question.strip():
        raise UsageError("-q: the question is empty")
    uri = parse_uri(settings.chat.db)
    model = open_model(settings, secrets)
    with closing(open_database(uri)) as database:
        asker = Asker(model, database, load_prompts(), settings.max_prompt_length, settings.max_tokens)
        if question is not None:
            console = Console(stderr=True, quiet=manner != "person")
            screen = Screen(console, thinking=console.is_terminal)
            _warn(database, screen)
            answer(encodable(question), asker, screen, settings.chat, as_json=manner == "json")
            return
        from sql_rl.chat.terminal import converse

        sys.stdout.reconfigure(errors="replace")  # what the terminal's encoding lacks
        screen = Screen(Console())
        try:
            number = len(database.tables())
            tables = f"{number} table" if number == 1 else f"{number} tables"
        except QueryError as error:
            tables = error.reason
        screen.line(f"{database.product}: {database.name}: {tables}. Model: {model.name}. /help lists the commands.")
        _warn(database, screen)
        converse(asker, screen, settings.chat)


def _warn(database: Database, screen: Screen) -> None:
    if database.warning:
        screen.notice(database.warning)
