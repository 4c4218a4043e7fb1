"""The lines of a batch's files: requests in, results out. Pure.

The form is OpenAI's (platform.openai.com/docs/guides/batch), which Groq shares; a request's custom_id is its key in
the journal.
"""

import dataclasses
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sql_rl.errors import SqlRlError
from sql_rl.teachers.base import Completion, Refusal, Transient
from sql_rl.teachers.batch_api import ENDPOINT
from sql_rl.teachers.reply import answered

Answer = Completion | Refusal | Transient | SqlRlError


def packed(
    requests: Iterable[tuple[str, Mapping[str, Any]]], max_lines: int, max_bytes: int
) -> Iterator[tuple[list[str], bytes]]:
    """Requests (key, body of the chat request) as files, each with the keys in it, in the order they came."""
    keys, file = list[str](), io.BytesIO()
    for key, body in requests:
        content = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
        line = json.dumps(content, separators=(",", ":")).encode() + b"\n"
        if keys and (len(keys) == max_lines or file.tell() + len(line) > max_bytes):
            yield keys, file.getvalue()
            keys, file = [], io.BytesIO()
        keys.append(key)
        file.write(line)
    if keys:
        yield keys, file.getvalue()


def result(line: bytes, price_share: float) -> tuple[str, Answer]:
    """Key and answer of a line of an output or error file. price_share: of a batch's tokens, for the completion.

    A Transient was not answered and may be asked again, an SqlRlError will meet every request. Raises ValueError
    for what is no such line.
    """
    try:
        content = json.loads(line)
        key, response = content["custom_id"], content.get("response")
        if response is None:  # never run: the batch expired or was cancelled first
            return key, Transient((content.get("error") or {}).get("message") or "no response")
        reply = answered(response["status_code"], {}, json.dumps(response["body"]), ENDPOINT)
        return key, dataclasses.replace(reply, price_share=price_share)
    except (Refusal, Transient, SqlRlError) as failure:
        return key, failure
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a result of a batch: {type(error).__name__}: {error}") from error
