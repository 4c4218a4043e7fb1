"""Dialects: what each provider is sent, to a real server that stands at its URL."""

import dataclasses
from typing import Any

import pytest

from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, UsageError
from sql_rl.examples import Example
from sql_rl.teachers import dialects
from sql_rl.teachers.base import Request, Sampling, Throttled
from sql_rl.teachers.dialects import DIALECTS, dialect_of
from sql_rl.teachers.openai import OpenAITeacher
from sql_rl.testing.chat_server import ChatServer, chat_completion

EXAMPLE = Example(row=0, id="0", question="q", context="c", gold="g")
REQUEST = Request(EXAMPLE, [{"role": "user", "content": "Question: q"}], Sampling(0.5, 99, None), 0)
SECRETS = Secrets(api_key="sk-api", hf_token="hf-token")
ASKED = {"messages": REQUEST.messages, "temperature": 0.5}


@pytest.fixture
def at_home(chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> ChatServer:
    """The test's server stands where the providers' own are."""
    moved = {name: dataclasses.replace(dialect, url=chat_server.url) for name, dialect in DIALECTS.items()}
    monkeypatch.setattr(dialects, "DIALECTS", moved)
    return chat_server


@pytest.mark.parametrize(
    ("provider", "model", "key", "fields"),
    [
        ("openai", "gpt-4.1-nano", "sk-api", {"max_completion_tokens": 99}),
        ("groq", "llama-3.3-70b-versatile", "sk-api", {"max_completion_tokens": 99}),
        ("groq", "openai/gpt-oss-20b", "sk-api", {"max_completion_tokens": 99}),
        ("groq", "qwen/qwen3-32b", "sk-api", {"max_completion_tokens": 99, "reasoning_format": "parsed"}),
        ("huggingface", "Qwen/Qwen3-32B", "hf-token", {"max_tokens": 99}),
    ],
)
async def test_what_a_provider_is_sent(
    at_home: ChatServer, provider: str, model: str, key: str, fields: dict[str, Any]
):
    at_home.api_key = key
    async with OpenAITeacher(model, None, SECRETS, 1, 5.0, provider) as teacher:
        await teacher.ask(REQUEST)
        assert teacher.identity(REQUEST) == {"provider": provider}
    assert at_home.bodies == [ASKED | {"model": model} | fields]


async def test_a_tier_of_service_is_sent_on_request(at_home: ChatServer):
    def full(body: dict[str, Any], visit: int) -> tuple[int, Any, dict[str, str]]:
        return 498, {"error": {"message": "Flex tier capacity exceeded", "code": "capacity_exceeded"}}, {}

    at_home.respond = full
    async with OpenAITeacher("llama-3.3-70b", None, SECRETS, 1, 5.0, "groq", service_tier="flex") as teacher:
        with pytest.raises(Throttled, match="Flex tier capacity exceeded"):
            await teacher.ask(REQUEST)
    assert at_home.bodies[0]["service_tier"] == "flex"


async def test_strings_that_end_an_answer_are_sent_on_request_and_are_part_of_what_was_asked(chat_server: ChatServer):
    chat_server.respond = lambda body, n: (200, chat_completion(body, "SELECT 1"), {})
    async with OpenAITeacher("m", chat_server.url, Secrets(), 1, 5.0, stop=("\nQuestion:",)) as teacher:
        await teacher.ask(REQUEST)
        assert teacher.identity(REQUEST) == {"provider": "openai", "stop": ["\nQuestion:"]}
    assert chat_server.bodies[0]["stop"] == ["\nQuestion:"]


@pytest.mark.parametrize("provider", ["openai", "groq", "huggingface"])
async def test_a_server_of_ones_own_needs_no_key_and_is_asked_in_words_that_all_know(
    chat_server: ChatServer, provider: str
):
    chat_server.respond = lambda body, n: (200, chat_completion(body, "SELECT 1", reasoning="because"), {})
    async with OpenAITeacher("m", chat_server.url, Secrets(), 1, 5.0, provider) as teacher:
        assert (await teacher.ask(REQUEST)).reasoning == "because"
    assert chat_server.bodies == [ASKED | {"model": "m", "max_tokens": 99}]


@pytest.mark.parametrize(
    ("provider", "variable"), [("openai", "API_KEY"), ("groq", "API_KEY"), ("huggingface", "HF_TOKEN")]
)
async def test_a_credential_is_missing_or_refused_by_its_name(chat_server: ChatServer, provider: str, variable: str):
    with pytest.raises(UsageError, match=f"{variable} is missing"):
        OpenAITeacher("m", None, Secrets(), 1, 5.0, provider)
    chat_server.api_key = "another"
    async with OpenAITeacher("m", chat_server.url, SECRETS, 1, 5.0, provider) as teacher:
        with pytest.raises(RefusedError, match=f"check {variable}"):
            await teacher.ask(REQUEST)


@pytest.mark.parametrize(
    ("base_url", "headers", "limit_key"),
    [
        (None, {"Authorization": "Bearer sk-api"}, "max_completion_tokens"),
        ("https://api.openai.com/v1", {"Authorization": "Bearer sk-api"}, "max_completion_tokens"),
        (
            "https://x.openai.azure.com/openai/deployments/d?api-version=1",
            {"api-key": "sk-api"},
            "max_completion_tokens",
        ),
        ("https://openrouter.ai/api/v1", {"Authorization": "Bearer sk-api"}, "max_tokens"),
        ("http://localhost:11434/v1", {"Authorization": "Bearer sk-api"}, "max_tokens"),
        ("https://azure.com.example/v1", {"Authorization": "Bearer sk-api"}, "max_tokens"),
    ],
)
def test_who_stands_at_base_url(base_url: str | None, headers: dict[str, str], limit_key: str):
    dialect = dialect_of("openai", base_url, SECRETS)
    assert (dialect.headers(SECRETS), dialect.limit_key) == (headers, limit_key)


@pytest.mark.parametrize(
    ("model", "limit_key"),
    [("o4-mini", "max_completion_tokens"), ("openai/gpt-5-mini", "max_completion_tokens"), ("gpt-4o", "max_tokens"),
     ("qwen3-o1-distill", "max_tokens"), ("gpt-oss-20b", "max_tokens")],
)  # fmt: skip
def test_reasoning_models_are_known_behind_any_gateway(model: str, limit_key: str):
    """OpenAI refuses max_tokens for them, and a gateway hands that on."""
    assert dialect_of("openai", "https://gateway.example/v1", SECRETS).limit_for(model) == limit_key
