"""What a failed HTTP answer of a chat API means: pure functions from status, headers and body.

Statuses as OpenAI documents them (platform.openai.com/docs/guides/error-codes), with Groq's 498 (flex capacity),
Anthropic's 529 (overloaded) and 402 of those who want to be paid first (HuggingFace's router, OpenRouter, DeepSeek).
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sql_rl.answers import encodable
from sql_rl.errors import RefusedError, StoppedEarlyError, UsageError
from sql_rl.teachers.base import Refusal, Throttled, Transient

THROTTLED = frozenset({429, 498, 503, 529})
TRANSIENT = frozenset({408, 409, 425})
CREDENTIALS = frozenset({401, 403})
FLAGGED = '"flagged_input"'  # OpenRouter's 403 for a prompt that a moderator does not like
# Of a 400: no request of this model, or of these settings, will fare better.
FOR_ALL = frozenset(
    {"model_decommissioned", "model_not_found", "model_not_supported", "unsupported_value", "unsupported_parameter"}
)
EXHAUSTED = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
# "on requests per day (RPD): Limit 200, Used 200" (OpenAI), "on tokens per day (TPD): ..." (Groq),
# "free-models-per-day" (OpenRouter), "GenerateRequestsPerDayPerProject" (Gemini, in the details beside its message)
A_DAY = re.compile(r"per[ _-]?day|daily", re.IGNORECASE)
# OpenAI says 429 to a request that is larger than a whole minute's tokens: no wait will help it.
TOO_LARGE = "Request too large"
# vLLM and OpenAI, llama.cpp, TGI, Gemini, Anthropic
CONTEXT = re.compile(
    r"maximum context length|available context size|inputs. tokens \+ .max_new_tokens|"
    "exceeds the maximum number of tokens|prompt is too long"
)


def failure(status: int, headers: Mapping[str, str], body: str, url: str, secret: str = "API_KEY") -> Exception:
    """The failure that a status other than 200 stands for.

    Transient: send it again, later if it is Throttled. Refusal: this request never. Anything else ends the run:
    RefusedError (exit 4) for credentials, StoppedEarlyError (3) for a spent quota or balance, UsageError (2) for a
    URL or a model that is not there. secret: the variable that holds the credential.
    """
    message, code = error_in(body)
    said = f"{status} from {url}" + (f": {message}" if message else "")
    if status == 403 and FLAGGED in body:
        return Refusal(said)
    if status in CREDENTIALS:
        return RefusedError(f"{said}; check {secret} in the environment or .env")
    if status == 402 or code in EXHAUSTED:
        return StoppedEarlyError(f"{said}; the quota is spent: the same command carries on once there is credit")
    if status == 429 and A_DAY.search(body):
        return StoppedEarlyError(f"{said}; the day's quota is spent: the same command carries on tomorrow")
    if status == 429 and message.startswith(TOO_LARGE):
        return Refusal(said)
    if status in THROTTLED:
        return Throttled(said, retry_after(headers))
    if status in TRANSIENT or status >= 500:
        return Transient(said, retry_after(headers))
    if status in (404, 405):
        return UsageError(f"{said}; check --model and --base-url")
    if code in FOR_ALL:
        return UsageError(
            f"{said}; every request would be told so: take another --model, or other settings for it (temperature: "
            "null in config.yaml leaves the temperature to the model)"
        )
    if 300 <= status < 400:
        return UsageError(
            f"{said}; the API answers with a redirect to {headers.get('Location', '?')}: use that --base-url"
        )
    if code == "context_length_exceeded" or CONTEXT.search(message):
        return Refusal(f"too long for the model's context: {said}")
    return Refusal(said, doubtful=True)


def error_in(body: str) -> tuple[str, str]:
    """Message and code of an error body in OpenAI's form, in vLLM's, or in plain text."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return " ".join(body.split())[:300], ""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0]  # Gemini's
    error = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(error, dict):
        return encodable(" ".join(str(error).split())[:300]), ""
    message = error.get("message") or error.get("detail") or body
    return encodable(" ".join(str(message).split())[:300]), str(error.get("code") or error.get("type") or "")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds until another try is welcome: `retry-after-ms`, or `retry-after` as seconds or as a date (RFC 9110)."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None  # a header that cannot be read is as good as none: the back-off decides


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\s*[0-9]+(\.[0-9]*)?\s*", text) else None
