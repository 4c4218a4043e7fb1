"""The completion in an answer of a chat API, in the forms that its many servers give it. Pure.

What was answered is paid for: so whatever can be read is read, and what is odd beside the text is as good as missing.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sql_rl.answers import encodable
from sql_rl.teachers.base import Completion, Unreadable
from sql_rl.teachers.http import error_in, failure

CUT_OFF = frozenset({"length", "model_length", "max_tokens"})  # OpenAI, Mistral, gateways to Anthropic and Gemini


def answered(
    status: int,
    headers: Mapping[str, str],
    body: str,
    url: str,
    secret: str = "API_KEY",
    redact: Callable[[str], str] = str,
) -> Completion:
    """The Completion in an answer. Raises what `failure` gives, and Unreadable where 200 brings something else.

    redact: takes secrets out of what is told; servers repeat the key that they refuse.
    """
    if not 200 <= status < 300:
        if (generation := _failed_generation(status, body)) is not None:
            return generation
        raise failure(status, headers, redact(body), url, secret)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{url}: the answer is not JSON: {error}: {_start(redact(body)) or 'it is empty'}") from error
    if (error := _error_inside(content)) is not None:
        said = redact(json.dumps({"error": error}))
        if (code := _status(error)) is not None:
            raise failure(code, headers, said, url, secret)
        raise Unreadable(f"{url}: the answer is an error: {error_in(said)[0]}")
    try:
        return completion(content)
    except Unreadable as unreadable:
        raise Unreadable(f"{url}: {unreadable}: {_start(redact(body))}") from unreadable


def _start(body: str) -> str:
    return " ".join(body[:300].split())


def _error_inside(content: Any) -> Any:
    """What went wrong after a provider had begun to answer with 200, for all of it or for its choice (OpenRouter)."""
    if not isinstance(content, dict):
        return None
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    inner = choice.get("error") if isinstance(choice, dict) else None
    return inner or (None if choice else content.get("error")) or None


def _status(error: Any) -> int | None:
    """The status that an error inside of a 200 would have had; None where it does not say."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    return int(code) if re.fullmatch(r"[45]\d\d", code) else None


def _failed_generation(status: int, body: str) -> Completion | None:
    """What the model wrote where Groq refuses that with a 400 (it calls a tool that nobody gave it): an answer."""
    if status != 400 or '"failed_generation"' not in body:
        return None
    try:
        error = json.loads(body)["error"]
        return Completion(encodable(_said(error["failed_generation"])), None, encodable(_said(error["code"])), "")
    except (ValueError, KeyError, TypeError):
        return None


def completion(content: Any) -> Completion:
    """The Completion in the JSON of a 200 answer. Raises Unreadable where it is none.

    What is odd beside the text (counts that are no numbers, names that are no strings) is as good as missing: the
    answer is paid for.
    """
    try:
        choices = content.get("choices")
        usage = content.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        if not choices and _count(usage.get("prompt_tokens")):
            choices = [{"message": {}}]  # a model that had nothing to say, which is billed all the same
        choice = choices[0]
        message = choice["message"]
        written = message.get("content")
        reasoning = (
            _said(message.get("reasoning")) or _said(message.get("reasoning_content")) or _said(written, "thinking")
        )
        prompt = _count(usage.get("prompt_tokens"))
        # Of those who leave reasoning out of the completion (xAI, Gemini), the total still says what is billed.
        billed = max(_count(usage.get("completion_tokens")), _count(usage.get("total_tokens")) - prompt)
        return Completion(
            text=encodable(_said(written) or _said(message.get("refusal"))),
            reasoning=encodable(reasoning) or None,
            finish_reason=_finish_reason(choice.get("finish_reason")),
            model=encodable(_said(content.get("model"))),
            prompt_tokens=prompt,
            completion_tokens=billed,
            cached_tokens=min(prompt, _count(_inside(usage, "prompt_tokens_details", "cached_tokens"))),
            reasoning_tokens=min(billed, _count(_inside(usage, "completion_tokens_details", "reasoning_tokens"))),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise Unreadable(f"the answer is not a chat completion: {type(error).__name__}: {error}") from error


def _finish_reason(said: Any) -> str:
    """By OpenAI's name for it where the completion was cut off."""
    reason = encodable(_said(said))
    return "length" if reason.lower() in CUT_OFF else reason


def _said(content: Any, kind: str = "text") -> str:
    """A string as it is; of a list of parts ({"type": "text", "text": ...}) the text of those of that kind."""
    if isinstance(content, str):
        return content if kind == "text" else ""
    parts = [part.get(kind) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(map(_said, parts))


def _count(value: Any) -> int:
    """Tokens; 0 for what is no number of them."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(number) if 0 <= number < 2**53 else 0


def _inside(usage: Mapping[str, Any], details: str, name: str) -> Any:
    inner = usage.get(details)
    return inner.get(name) if isinstance(inner, dict) else None
