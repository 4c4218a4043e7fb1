"""From a question to a query, against a server that streams, and misbehaves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from support import wait_until

from sql_rl.chat.databases import open_database
from sql_rl.chat.models import Piece, RemoteModel, open_model
from sql_rl.chat.turn import Asker, Turn
from sql_rl.chat.uri import parse_uri
from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, SqlRlError, StoppedEarlyError, UsageError
from sql_rl.examples import Example
from sql_rl.prompts import completion, estimated_tokens, load_prompts
from sql_rl.settings import ChatSettings, Settings
from sql_rl.testing.chat_server import ChatServer, chat_completion

KEY = "sk-geheim-12345"


class Notes:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.thoughts = ""
        self.notices: list[str] = []

    def thought(self, text: str) -> None:
        self.thoughts += text

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def ask(chat_server: ChatServer, tmp_path: Path, notes: Notes) -> Callable[..., Turn]:
    """Asks about a small shop; keyword arguments are settings."""
    file = tmp_path / "shop.sqlite"
    db = apsw.Connection(str(file))
    db.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, town TEXT); CREATE TABLE staff (id, name, salary)")
    db.close()

    def asked(question: str = "How many?", **changes: Any) -> Turn:
        return asker(chat_server, file, **changes).ask(question, notes)

    return asked


def asker(server: ChatServer, file: Path, chat: dict | None = None, **changes: Any) -> Asker:
    settings = Settings(base_url=server.url, chat=ChatSettings(**(chat or {})), **changes)
    model = RemoteModel(settings, Secrets(api_key=KEY))
    return Asker(
        model,
        open_database(parse_uri(f"sqlite:///{file}")),
        load_prompts(),
        settings.max_prompt_length,
        settings.max_tokens,
    )


def answering(*texts: str, **message: Any) -> Callable[..., tuple[int, Any, dict[str, str]]]:
    """A server that answers with these texts, one after another."""
    left = list(texts)
    return lambda body, _: (200, chat_completion(body, left.pop(0), **message), {})


def test_an_answer(ask: Callable[..., Turn], chat_server: ChatServer, notes: Notes):
    chat_server.answers = {"How many?": "SELECT count(*) FROM shop;"}
    chat_server.api_key = KEY
    turn = ask()
    assert (turn.sql, turn.reasoning, turn.problem) == ("SELECT count(*) FROM shop", "I answer: How many?", "")
    assert "I answer: How many?" in notes.thoughts and "SELECT" not in notes.thoughts
    assert notes.notices == []
    body = chat_server.bodies[0]
    assert (body["stream"], body["temperature"], body["max_tokens"], body["model"]) == (True, 0.0, 2048, "gpt-4.1-nano")
    prompt = body["messages"][1]["content"]
    assert "CREATE TABLE shop (id INTEGER PRIMARY KEY, town TEXT);" in prompt and "Hint" not in prompt


def test_half_a_surrogate_pair_is_a_question_mark(ask: Callable[..., Turn], chat_server: ChatServer, notes: Notes):
    chat_server.respond = answering("<think>\ud83d</think><sql>SELECT '\ud800'</sql>", reasoning="\udc00")
    turn = ask()
    assert (turn.sql, turn.text) == ("SELECT '?'", "<think>?</think><sql>SELECT '?'</sql>")
    assert notes.thoughts.strip() == "??"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_a_reasoning_in_its_own_field(ask: Callable[..., Turn], chat_server: ChatServer, notes: Notes, field: str):
    chat_server.respond = answering("<sql>SELECT 1</sql>", **{field: "I count rows."})
    turn = ask()
    assert (turn.reasoning, turn.sql) == ("I count rows.", "SELECT 1")
    assert notes.thoughts.startswith("I count rows.")


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (completion("hm", "SELECT nope FROM shop"), "no such column: nope"),
        (completion("hm", "DELETE FROM shop"), "not allowed: DELETE shop"),
        ("I do not know.", "there is no query in the answer"),
        ("", "there is no query in the answer"),
        (completion("hm", "SELECT 1; SELECT 2"), "it holds 2 statements: one is run at a time"),
    ],
)
def test_what_is_no_good_goes_back_once(
    ask: Callable[..., Turn], chat_server: ChatServer, notes: Notes, first: str, problem: str
):
    chat_server.respond = answering(first, completion("better", "SELECT 1"))
    turn = ask()
    assert (turn.sql, turn.problem, turn.repaired) == ("SELECT 1", "", True)
    assert notes.notices == [f"{problem}; asking once more"]
    asked = chat_server.bodies[1]["messages"]
    assert [m["role"] for m in asked] == ["system", "user", "assistant", "user"]
    assert problem in asked[3]["content"] and asked[2]["content"]


def test_what_is_no_good_twice_stays_so(ask: Callable[..., Turn], chat_server: ChatServer):
    chat_server.respond = answering(completion("hm", "SELECT nope FROM shop"), "I give up.")
    turn = ask()
    assert (turn.sql, turn.problem) == (None, "there is no query in the answer")
    assert len(chat_server.bodies) == 2


def test_a_wish_goes_to_the_model_and_may_be_repaired_again(chat_server: ChatServer, tmp_path: Path, notes: Notes):
    (tmp_path / "a.sqlite").touch()
    database = apsw.Connection(str(tmp_path / "a.sqlite"))
    database.execute("CREATE TABLE shop (id)")
    chat_server.respond = answering(*(completion("hm", f"SELECT {n}") for n in (1, 2, 3)))
    shop = asker(chat_server, tmp_path / "a.sqlite")
    first = shop.ask("How many?", notes)
    second = shop.retry(first, "Only those in Ulm, please", notes)
    assert (second.sql, second.repaired, second.question) == ("SELECT 2", False, "How many?")
    assert "Only those in Ulm, please" in chat_server.bodies[1]["messages"][-1]["content"]
    assert shop.retry(second, "", notes).sql == "SELECT 3"
    assert len(chat_server.bodies[2]["messages"]) == 2


def test_a_large_schema_is_cut_to_what_the_question_is_about(
    ask: Callable[..., Turn], chat_server: ChatServer, notes: Notes
):
    question = "What is the average salary?"
    frame = estimated_tokens(load_prompts().draft(Example(0, "0", question, "", "")))
    ask(question, max_prompt_length=frame + 15)  # 60 characters: either table, not both
    prompt = chat_server.bodies[0]["messages"][1]["content"]
    assert "staff" in prompt and "shop" not in prompt
    assert notes.notices == ["the model sees 1 of 2 tables: staff"]
    with pytest.raises(SqlRlError, match="no table's definition fits"):
        ask(question, max_prompt_length=frame + 2)


def test_an_empty_database_is_told(chat_server: ChatServer, notes: Notes, tmp_path: Path):
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(SqlRlError, match="there are no tables"):
        asker(chat_server, tmp_path / "empty.sqlite").ask("How many?", notes)
    assert not chat_server.bodies


FAILURES = [
    (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, RefusedError, "check API_KEY"),
    (404, {"error": {"message": "no such model"}}, UsageError, "check --model and --base-url"),
    (400, {"error": {"message": "temperature does not fit"}}, SqlRlError, "temperature does not fit"),
    (402, {"error": {"message": "pay first"}}, StoppedEarlyError, "pay first"),
]


@pytest.mark.parametrize(("status", "body", "kind", "said"), FAILURES)
def test_what_the_server_refuses_is_one_line_without_the_key(
    ask: Callable[..., Turn], chat_server: ChatServer, status: int, body: dict, kind: type, said: str
):
    chat_server.respond = lambda *_: (status, body, {})
    with pytest.raises(kind, match=said) as caught:
        ask()
    assert KEY not in str(caught.value) and "\n" not in str(caught.value)


def test_an_answer_that_breaks_off(ask: Callable[..., Turn], chat_server: ChatServer):
    def torn(body: dict, _: int) -> tuple[int, Any, dict[str, str]]:
        return 200, chat_completion(body, "<think>I be", finish_reason=None), {}

    chat_server.respond = torn
    with pytest.raises(SqlRlError, match="broke off before its end"):
        ask()


def test_no_server(tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sql_rl.chat.models.TRIES", 0)
    settings = Settings(base_url="http://127.0.0.1:1/v1", chat=ChatSettings())
    with pytest.raises(SqlRlError, match=r"http://127\.0\.0\.1:1/v1/chat/completions: Connection error\. \(.*refused"):
        list(RemoteModel(settings, Secrets()).stream([{"role": "user", "content": "hi"}]))


def test_without_a_key_no_header_is_sent_and_openai_asks_for_one(ask: Callable[..., Turn], chat_server: ChatServer):
    chat_server.api_key = KEY
    model = RemoteModel(Settings(base_url=chat_server.url, chat=ChatSettings()), Secrets())
    with pytest.raises(RefusedError, match=r"Incorrect API key provided: \.;"):  # the server names what it was sent
        list(model.stream([{"role": "user", "content": "hi"}]))
    with pytest.raises(UsageError, match="API_KEY is missing"):
        open_model(Settings(chat=ChatSettings()), Secrets())
    with pytest.raises(UsageError, match="HF_TOKEN is missing"):
        open_model(Settings(chat=ChatSettings(provider="huggingface")), Secrets(api_key=KEY))


def test_a_stream_that_is_closed_ends_the_request(chat_server: ChatServer):
    chat_server.pace = 0.02
    chat_server.answers = {"": "SELECT " + "1 + " * 500 + "1"}
    model = RemoteModel(Settings(base_url=chat_server.url, chat=ChatSettings()), Secrets())
    stream: Iterator[Piece] = model.stream([{"role": "user", "content": "Question: "}])
    assert next(stream).text
    assert chat_server.in_flight == 1
    stream.close()
    wait_until(lambda: not chat_server.in_flight, 10)
