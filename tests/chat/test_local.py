"""A student on this machine: one that has learned nothing answers nonsense, which is told and not run."""

from pathlib import Path

import pytest

from sql_rl.chat.databases import open_database
from sql_rl.chat.models import open_model
from sql_rl.chat.turn import NO_QUERY, Asker
from sql_rl.chat.uri import parse_uri
from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.prompts import load_prompts
from sql_rl.settings import ChatSettings, Settings

pytest.importorskip("torch")


class Silent:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.said: list[str] = []

    thought = notice = lambda self, text: self.said.append(text)


def settings_for(model: str) -> Settings:
    return Settings(max_tokens=16, chat=ChatSettings(provider="local", model=model))


def test_a_student_s_nonsense(tmp_path: Path):
    from sql_rl.students import StudentSpec, open_student

    open_student(StudentSpec(model="micro", seed=1), ["Database:\nCREATE TABLE town (id)\n\nQuestion: How many?"]).save(
        tmp_path / "student"
    )
    settings = settings_for(str(tmp_path / "student"))
    model, database, view = open_model(settings, Secrets()), open_database(parse_uri(None)), Silent()
    database.connection.execute("CREATE TABLE town (id)")
    asker = Asker(model, database, load_prompts(), settings.max_prompt_length, settings.max_tokens)
    turn = asker.ask("How many?", view)
    assert (turn.problem, turn.sql, turn.repaired) == (NO_QUERY, None, True)
    assert turn.text and f"{NO_QUERY}; asking once more" in view.said


def test_a_student_that_is_not_there():
    with pytest.raises(UsageError, match="micro"):
        open_model(settings_for("micro"), Secrets())
