"""The OpenAI teacher against a real HTTP server on loopback."""

import pytest

from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, UsageError
from sql_rl.examples import Example
from sql_rl.teachers.base import Metered, Refusal, Request, Sampling, Throttled, TimedOut, Transient
from sql_rl.teachers.openai import OpenAITeacher, endpoint_of, is_model
from sql_rl.teachers.quota import Quota, Quotas
from sql_rl.testing.chat_server import ChatServer, Faults, chat_completion

EXAMPLE = Example(row=0, id="0", question="q", context="c", gold="g")
SECRETS = Secrets(api_key="sk-secret")


def request(temperature: float | None = 0.5, seed: int | None = None) -> Request:
    return Request(EXAMPLE, [{"role": "user", "content": "Question: q"}], Sampling(temperature, 99, seed), 0)


def teacher(server: ChatServer, secrets: Secrets = SECRETS, timeout: float = 5.0) -> OpenAITeacher:
    return OpenAITeacher("m", server.url, secrets, window=2, timeout=timeout)


async def test_asks_as_told_and_reads_the_answer(chat_server: ChatServer):
    chat_server.answers, chat_server.api_key = {"q": "SELECT 7"}, "sk-secret"
    async with teacher(chat_server) as t:
        reply = await t.ask(request(seed=4))
    assert "SELECT 7" in reply.text
    assert (reply.model, reply.finish_reason) == ("m", "stop")
    assert reply.completion_tokens > 0
    assert chat_server.bodies == [
        {"model": "m", "messages": request().messages, "max_tokens": 99, "temperature": 0.5, "seed": 4}
    ]


async def test_what_is_none_is_not_sent(chat_server: ChatServer):
    async with teacher(chat_server, Secrets()) as t:
        await t.ask(request(temperature=None))
    assert set(chat_server.bodies[0]) == {"model", "messages", "max_tokens"}


async def test_a_refused_key_is_named_but_not_shown(chat_server: ChatServer):
    chat_server.api_key = "another"
    async with teacher(chat_server) as t:
        with pytest.raises(RefusedError, match="Incorrect API key") as caught:
            await t.ask(request())
    assert "sk-secret" not in str(caught.value)
    assert "***" in str(caught.value)


async def test_what_a_url_asks_is_sent_and_not_told(chat_server: ChatServer):
    """Refusals stand in the dataset, as the reasons of rejected rows."""
    chat_server.faults = Faults(error_400=1)
    async with OpenAITeacher("m", f"{chat_server.url}?key=sk-query", SECRETS, window=2, timeout=5.0) as t:
        with pytest.raises(Refusal, match=r"400 from \S+/v1/chat/completions: ") as caught:
            await t.ask(request())
    assert "sk-query" not in str(caught.value)


PASSING = {
    "server error": (Faults(error_500=1), Transient),
    "rate limit": (Faults(error_429=1), Throttled),
    "reset": (Faults(reset=1), Transient),
    "torn body": (Faults(torn=1), Transient),
    "no answer in time": (Faults(stall=1), TimedOut),
}


@pytest.mark.parametrize(("faults", "kind"), PASSING.values(), ids=PASSING.keys())
async def test_passing_faults_are_transient_and_then_over(chat_server: ChatServer, faults: Faults, kind: type):
    chat_server.faults = faults
    async with teacher(chat_server, timeout=0.5) as t:
        with pytest.raises(Transient) as caught:
            await t.ask(request())
        assert type(caught.value) is kind
        assert caught.value.connected
        assert "SELECT 1" in (await t.ask(request())).text


async def test_retry_after_is_handed_on(chat_server: ChatServer):
    chat_server.faults, chat_server.retry_after = Faults(error_429=1), "17"
    async with teacher(chat_server) as t:
        with pytest.raises(Transient) as caught:
            await t.ask(request())
    assert caught.value.retry_after == 17


async def test_what_is_left_of_the_limits_is_told_with_each_answer(chat_server: ChatServer):
    told = {"x-ratelimit-limit-tokens": "100", "x-ratelimit-remaining-tokens": "40", "x-ratelimit-reset-tokens": "6s"}
    statuses = iter([(200, told), (429, told), (200, {})])

    def respond(body: dict, visit: int) -> tuple[int, dict, dict]:
        status, headers = next(statuses)
        return status, chat_completion(body, "x"), headers

    chat_server.respond = respond
    async with teacher(chat_server) as t:
        assert isinstance(t, Metered)
        await t.ask(request())
        assert t.quotas == Quotas(None, Quota(100, 40, 6.0))
        t.quotas = None
        with pytest.raises(Throttled):
            await t.ask(request())
        assert t.quotas == Quotas(None, Quota(100, 40, 6.0))
        await t.ask(request())
        assert t.quotas is None


async def test_a_bad_request_is_refused(chat_server: ChatServer):
    chat_server.faults = Faults(error_400=1)
    async with teacher(chat_server) as t:
        with pytest.raises(Refusal, match="not to our taste"):
            await t.ask(request())


async def test_a_separate_reasoning_field(chat_server: ChatServer):
    chat_server.respond = lambda body, n: (200, chat_completion(body, "SELECT 1", reasoning_content="because"), {})
    async with teacher(chat_server) as t:
        assert (await t.ask(request())).reasoning == "because"


async def test_nobody_listens():
    server = ChatServer()
    with server.running():
        pass
    async with teacher(server) as t:
        with pytest.raises(Transient, match="cannot connect") as caught:
            await t.ask(request())
    assert not caught.value.connected


async def test_another_model_than_asked_is_told_once(chat_server: ChatServer, capsys: pytest.CaptureFixture[str]):
    chat_server.respond = lambda body, n: (200, chat_completion(body, "x") | {"model": "cheaper"}, {})
    async with teacher(chat_server) as t:
        assert [(await t.ask(request())).model for _ in range(3)] == ["cheaper"] * 3
    assert capsys.readouterr().err == "warning: m was asked, cheaper answers; rows say so in model_name\n"


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-4.1-nano", "gpt-4.1-nano", True),
        ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", True),
        ("gpt-4", "gpt-4-0613", True),
        ("openai/gpt-oss-20b", "gpt-oss-20b", True),
        ("gpt-oss-20b", "openai/gpt-oss-20b", True),
        ("llama3", "llama3:latest", True),
        ("Qwen/Qwen3-32B:groq", "qwen/qwen3-32b", True),
        ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1:free", True),
        ("m", "", True),
        ("gpt-4", "gpt-4-turbo", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("qwen2.5:7b", "qwen2.5:14b", False),
        ("meta-llama/Llama-3.3-70B-Instruct:groq", "llama-3.3-70b-versatile", False),
    ],
)
def test_names_of_one_model(asked: str, answered: str, same: bool):
    assert is_model(answered, asked) is same


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://h/v1", "http://", "http://user:pass@h/v1", "", "http://h:x/v1", "http://h:70000/v1",
     "http://[::1/v1", "http://user:pass@[::1/v1"],
)  # fmt: skip
def test_urls_that_are_none(url: str):
    with pytest.raises(UsageError) as caught:
        OpenAITeacher("m", url or "x", Secrets(), 1, 1.0)
    assert "pass@" not in str(caught.value)


def test_openai_itself_wants_a_key():
    with pytest.raises(UsageError, match="API_KEY is missing"):
        OpenAITeacher("m", None, Secrets(), 1, 1.0)


@pytest.mark.parametrize(
    ("base_url", "endpoint"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h:8000", "http://h:8000/chat/completions"),
        (
            "https://x.openai.azure.com/openai/deployments/d?api-version=2025-01-01",
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01",
        ),
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions/?api-version=1",
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
        ),
    ],
)
def test_the_endpoint_is_found(base_url: str, endpoint: str):
    assert endpoint_of(base_url) == endpoint
