"""What HTTP answers mean: tables."""

import json
from datetime import UTC, datetime

import pytest

from sql_rl.errors import RefusedError, StoppedEarlyError, UsageError
from sql_rl.teachers.base import Refusal, Throttled, Transient
from sql_rl.teachers.http import failure, retry_after

URL = "http://h/v1/chat/completions"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refusal), (401, RefusedError), (403, RefusedError), (404, UsageError), (408, Transient), (409, Transient),
        (413, Refusal), (422, Refusal), (425, Transient), (429, Throttled), (498, Throttled), (500, Transient),
        (502, Transient), (503, Throttled), (504, Transient), (529, Throttled), (308, UsageError), (418, Refusal),
        (402, StoppedEarlyError), (405, UsageError),
    ],
)  # fmt: skip
def test_statuses(status: int, kind: type[Exception]):
    error = failure(status, {}, json.dumps({"error": {"message": "so and so", "code": "x"}}), URL)
    assert type(error) is kind
    assert f"{status} from {URL}: so and so" in str(error)


RATE = "Rate limit reached for model `m` in organization `o`"


@pytest.mark.parametrize(
    ("message", "code", "kind"),
    [
        ("You exceeded your current quota", "insufficient_quota", StoppedEarlyError),
        ("Your account is not active", "billing_not_active", StoppedEarlyError),
        (
            f"{RATE} on requests per day (RPD): Limit 200, Used 200, Requested 1.",
            "rate_limit_exceeded",
            StoppedEarlyError,
        ),
        (f"{RATE} on tokens per day (TPD): Limit 100000, Used 97050.", "rate_limit_exceeded", StoppedEarlyError),
        ("Rate limit exceeded: free-models-per-day", "429", StoppedEarlyError),
        ("Quota exceeded: GenerateRequestsPerDayPerProjectPerModel-FreeTier", "429", StoppedEarlyError),
        (
            f"{RATE} on tokens per minute (TPM): Limit 7000, Used 0. Try again in 50.6s.",
            "rate_limit_exceeded",
            Throttled,
        ),
        (f"{RATE} on requests per min. Limit: 60 / min.", "rate_limit_exceeded", Throttled),
        ("Request too large for m on tokens per min (TPM): Limit 10000, Requested 12000.", "tokens", Refusal),
    ],
)
def test_what_a_429_means(message: str, code: str, kind: type[Exception]):
    """The providers' own words, as their users report them."""
    assert type(failure(429, {}, json.dumps({"error": {"message": message, "code": code}}), URL)) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("model_decommissioned", UsageError), ("unsupported_value", UsageError), ("unsupported_parameter", UsageError),
        ("billing_hard_limit_reached", StoppedEarlyError), ("content_policy_violation", Refusal),
    ],
)  # fmt: skip
def test_a_400_that_every_request_would_get_ends_the_run(code: str, kind: type[Exception]):
    """A refusal stands in the journal for good, so that it must not be said of rows that are not to blame."""
    assert type(failure(400, {}, json.dumps({"error": {"message": "no", "code": code}}), URL)) is kind


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Too long.", "code": "context_length_exceeded"}}),
        (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you ..."}),
        (400, {"error": {"message": "the request exceeds the available context size", "type": "exceed_context_size"}}),
        (400, [{"error": {"message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."}}]),
        (400, {"error": {"message": "prompt is too long: 9 tokens > 8 maximum", "type": "invalid_request_error"}}),
        (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"}),
    ],
)
def test_a_prompt_that_is_too_long_says_so(status: int, body: object):
    error = failure(status, {}, json.dumps(body), URL)
    assert isinstance(error, Refusal)
    assert not error.doubtful
    assert str(error).startswith(f"too long for the model's context: {status} from {URL}: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "a\\n b"}}', "a b"),
        ('{"object": "error", "message": "vllm says"}', "vllm says"),
        ('{"error": "plain"}', "plain"),
        ('{"detail": "not found"}', "not found"),
        ("<html>\nBad gateway</html>", "<html> Bad gateway</html>"),
        ("", "500 from"),
        ("[1]", "[1]"),
    ],
)
def test_the_message_is_found_in_any_body(body: str, said: str):
    assert said in str(failure(500, {}, body, URL))


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, 9.0),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "\u00b2"}, None),
        ({"retry-after": "Fri, 31 Dec 99999 00:00:00 GMT"}, None),
        ({"retry-after-ms": "nan", "retry-after": "4"}, 4.0),
        ({"retry-after-ms": "inf"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None):
    assert retry_after(headers, NOW) == seconds


def test_the_day_is_found_in_the_details():
    """Gemini's answer at its OpenAI address: a list, and a message that does not tell a day's quota from a minute's."""
    details = [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]
    error = {"code": 429, "message": "You exceeded your current quota. Please retry in 36s.", "details": details}
    day = failure(429, {}, json.dumps([{"error": error}]), URL)
    assert isinstance(day, StoppedEarlyError)
    assert "URL: You exceeded" in str(day).replace(URL, "URL")
    assert isinstance(failure(429, {}, json.dumps([{"error": error | {"details": []}}]), URL), Throttled)


def test_a_prompt_that_a_moderator_flags_is_no_refused_key():
    """OpenRouter answers 403 to it."""
    error = {"code": 403, "message": "Your input was flagged", "metadata": {"reasons": ["x"], "flagged_input": "DROP"}}
    assert isinstance(failure(403, {}, json.dumps({"error": error}), URL), Refusal)


def test_half_a_surrogate_pair_is_replaced():
    assert str(failure(400, {}, '{"error": {"message": "a\\ud83d"}}', URL)).endswith(": a?")
