"""A chat completion as server-sent events, as OpenAI streams one: `data: {chunk}`, and `data: [DONE]` at the end."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiohttp import web

PIECE = 5  # characters; tags and words come in several pieces


async def stream(request: web.Request, completion: dict[str, Any], pace: float) -> web.StreamResponse:
    """Sends the completion in pieces, `pace` seconds between them.

    Without a finish_reason it breaks off after the text: no end is told, as when a server dies.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with suppress(ConnectionResetError):  # the client may hang up at any time
        await _send(response, completion, pace)
    return response


async def _send(response: web.StreamResponse, completion: dict[str, Any], pace: float) -> None:
    for delta, finish_reason in _deltas(completion["choices"][0]):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        event = completion | {"object": "chat.completion.chunk", "choices": [choice]}
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await asyncio.sleep(pace)
    if completion["choices"][0]["finish_reason"] is not None:
        await response.write(b"data: [DONE]\n\n")


def _deltas(choice: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """What each event carries: the role, the pieces of each text of the message (reasoning before content), the end."""
    message = choice["message"]
    yield {"role": "assistant", "content": ""}, None
    for name in sorted(message.keys() - {"role"}, key=lambda name: name == "content"):
        text = message[name] or ""
        for start in range(0, len(text), PIECE):
            yield {name: text[start : start + PIECE]}, None
    if choice["finish_reason"] is not None:
        yield {}, choice["finish_reason"]
