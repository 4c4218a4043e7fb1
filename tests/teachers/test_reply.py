"""The completion in what servers answer: tables, in the servers' own forms."""

import json
from typing import Any

import pytest

from sql_rl.errors import RefusedError, StoppedEarlyError
from sql_rl.teachers.base import Completion, Refusal, Throttled, Transient, Unreadable
from sql_rl.teachers.reply import answered

URL = "http://h/v1/chat/completions"


def answer(**message: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"message": {"content": "x", **message}, "finish_reason": "stop"}]}


def read(content: Any, status: int = 200) -> Completion:
    return answered(status, {}, json.dumps(content), URL)


MISTRAL = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "be"}, {"type": "text", "text": "cause"}]},
    {"type": "text", "text": "SELECT 1"},
]

MESSAGES = {
    "content alone": ({"content": "SELECT 1"}, "SELECT 1", None),
    "vLLM": ({"content": "SELECT 1", "reasoning": "because"}, "SELECT 1", "because"),
    "DeepSeek": ({"content": "SELECT 1", "reasoning_content": "because"}, "SELECT 1", "because"),
    "Mistral": ({"content": MISTRAL}, "SELECT 1", "because"),
    "parts of text": ({"content": [{"text": "SELECT"}, {"text": " 1"}]}, "SELECT 1", None),
    "OpenAI does not want to": ({"content": None, "refusal": "I cannot help."}, "I cannot help.", None),
    "a call of a tool": ({"content": None, "tool_calls": [{"function": {"name": "sql"}}]}, "", None),
    "no content": ({"content": None}, "", None),
    "reasoning of no known form": ({"content": "SELECT 1", "reasoning": {"tokens": 7}}, "SELECT 1", None),
    "half a surrogate pair": ({"content": "a\ud83d", "reasoning": "\ude00b"}, "a?", "?b"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "text", "reasoning"), MESSAGES.values(), ids=MESSAGES.keys())
def test_text_and_reasoning_in_any_form(message: dict[str, Any], text: str, reasoning: str | None):
    reply = read(answer(**message))
    assert (reply.text, reply.reasoning) == (text, reasoning)


USAGES = {
    "OpenAI": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        (10, 7, 4, 5),
    ),
    "reasoning beside the completion (xAI)": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "total_tokens": 57,
            "completion_tokens_details": {"reasoning_tokens": 40},
        },
        (10, 47, 0, 40),
    ),
    "words for numbers": ({"prompt_tokens": "10", "completion_tokens": "7"}, (10, 7, 0, 0)),
    "broken numbers": ({"prompt_tokens": 10.0, "completion_tokens": 7.5}, (10, 7, 0, 0)),
    "more cached than asked": ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}}, (10, 0, 10, 0)),
    "nonsense": ({"prompt_tokens": "ten", "completion_tokens": -7, "total_tokens": 10**40}, (0, 0, 0, 0)),
    "no details": ({"prompt_tokens": 1, "prompt_tokens_details": None, "completion_tokens_details": []}, (1, 0, 0, 0)),
    "none": (None, (0, 0, 0, 0)),
    "a list": ([1], (0, 0, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "tokens"), USAGES.values(), ids=USAGES.keys())
def test_tokens_are_those_that_are_billed(usage: Any, tokens: tuple[int, ...]):
    reply = read(answer() | {"usage": usage})
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.reasoning_tokens) == tokens


def test_what_is_odd_beside_the_text_costs_no_answer():
    odd = {"model": 5, "choices": [{"message": {"content": "x"}, "finish_reason": {"why": "stop\ud83d"}}]}
    assert (read(odd).text, read(odd).model, read(odd).finish_reason) == ("x", "", "")
    assert answered(201, {}, json.dumps(answer(content="y")), URL).text == "y"


@pytest.mark.parametrize(
    ("said", "reason"),
    [("stop", "stop"), ("length", "length"), ("model_length", "length"), ("MAX_TOKENS", "length"), (None, "")],
)
def test_cut_off_by_any_name(said: str | None, reason: str):
    assert read({"choices": [{"message": {"content": "x"}, "finish_reason": said}]}).finish_reason == reason


def test_a_billed_answer_without_a_choice_is_an_answer_without_text():
    reply = read({"model": "m", "choices": [], "usage": {"prompt_tokens": 10}})
    assert (reply.text, reply.prompt_tokens) == ("", 10)


def test_what_the_model_wrote_and_the_provider_refused_is_its_answer():
    """Groq: a model calls a tool that nobody gave it. It is asked again as after any bad answer."""
    message = "Tool choice is none, but model called a tool"
    error = {"message": message, "code": "tool_use_failed", "failed_generation": "<sql>SELECT 1</sql>"}
    reply = read({"error": error}, 400)
    assert (reply.text, reply.finish_reason) == ("<sql>SELECT 1</sql>", "tool_use_failed")


INSIDE = {
    "upstream is down": ({"code": 502, "message": "no"}, Transient),
    "upstream is full": ({"code": 429, "message": "no"}, Throttled),
    "not for this prompt": ({"code": "400", "message": "no"}, Refusal),
    "no credit": ({"code": 402, "message": "no"}, StoppedEarlyError),
    "no key": ({"code": 401, "message": "no"}, RefusedError),
    "no status (LM Studio)": ("no", Unreadable),
    "another code": ({"code": "overflow", "message": "no"}, Unreadable),
}


@pytest.mark.parametrize(("error", "kind"), INSIDE.values(), ids=INSIDE.keys())
def test_an_error_inside_a_200(error: Any, kind: type[Exception]):
    """OpenRouter begins to answer before its upstream fails; the error may stand in the choice, beside half a text."""
    half = {"choices": [{"message": {"content": "<sql>SELECT 1"}, "error": error, "finish_reason": "error"}]}
    for content in ({"error": error}, half):
        with pytest.raises(kind, match="no") as caught:
            read(content)
        assert type(caught.value) is kind
    assert read(answer() | {"error": None}).text == "x"


BODIES = [
    "", "<html>hello</html>", 'data: {"choices": []}', "[" * 100_000, '{"choices": [{"mess', "{}", "[]", "3",
    '{"choices": []}', '{"choices": [{}]}', '{"choices": [null]}', '{"choices": {}}', '{"n": ' + "9" * 5000 + "}",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_is_no_answer_is_shown(body: str):
    with pytest.raises(Unreadable) as caught:
        answered(200, {}, body, URL)
    assert str(caught.value).startswith(URL)
    assert (body[:20] or "it is empty") in str(caught.value)


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_that_is_repeated_is_not_shown(status: int):
    with pytest.raises((Unreadable, RefusedError)) as caught:
        answered(status, {}, '{"error": "no: sk-secret"}', URL, redact=lambda said: said.replace("sk-secret", "***"))
    assert "sk-secret" not in str(caught.value)
