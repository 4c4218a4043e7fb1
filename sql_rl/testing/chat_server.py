"""A chat server that misbehaves on purpose: OpenAI's chat completions on loopback, with faults in known shares.

    python -m sql_rl.testing.chat_server --answers rows.jsonl --delay 0.5 --error-500 0.05

answers each question it knows with its query, in tags. Which prompts meet a fault is decided by a hash of the prompt,
so that a run can be repeated and its end counted: passing faults (500, 429, reset, hang, torn body) meet a prompt the
first time only, lasting ones (400, empty, truncated) every time. `GET /stats` tells what was asked and answered.
"""

import argparse
import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from aiohttp import web

from sql_rl.prompts import completion
from sql_rl.testing.server_limits import Gate, ServerLimits
from sql_rl.testing.serving import answers_in, in_a_thread, listen, serve_until_killed
from sql_rl.testing.streaming import stream


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the prompts, each from 0 to 1, their sum at most 1. hang: seconds that a hanging answer takes."""

    error_400: float = 0.0
    error_500: float = 0.0
    error_429: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    torn: float = 0.0
    empty: float = 0.0
    truncated: float = 0.0

    def of(self, prompt: str) -> str:
        """The fault that meets this prompt, '' for none."""
        share = int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=8).digest()) / 2**64
        for f in fields(self):
            share -= getattr(self, f.name)
            if share < 0:
                return f.name
        return ""


LASTING = {"error_400", "empty", "truncated"}


@dataclass(slots=True)
class ChatServer:
    """One server. answers: question -> query; unknown questions are answered with `SELECT 1`.

    respond: instead of all this, (request body, how often this prompt came) -> status, body, headers.
    delay: seconds until an answer; pace: between the pieces of one that is streamed. api_key: what the Authorization
    header must carry, None for no check. hold_after: so many answers are given, None for no end; further requests wait
    until it is raised, and `held` counts them, so that a test knows for sure what is on the wire.
    limits are read when it starts; the gate keeps them, and counts whom it turned away; who was is not `seen`.
    seen: how often each prompt came; answered: how often each got an answer (what a provider would bill).
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    limits: ServerLimits = field(default_factory=ServerLimits)
    delay: float = 0.0
    pace: float = 0.0
    hang: float = 3600.0
    hold_after: int | None = None
    held: int = 0
    retry_after: str | None = None
    api_key: str | None = None
    respond: Callable[[dict[str, Any], int], tuple[int, Any, dict[str, str]]] | None = None
    seen: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keep_bodies: bool = True
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    gate: Gate | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @contextlib.contextmanager
    def running(self) -> Iterator["ChatServer"]:
        """Serves from a thread of its own, on a free port of loopback, until the block ends."""
        with in_a_thread(self.start):
            yield self

    async def start(self) -> web.AppRunner:
        """Opens the port (`port`, or a free one) in the running loop."""
        self.gate = Gate(self.limits)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/stats", self._stats)
        runner = await listen(app, self.port)
        self.port = runner.addresses[0][1]
        return runner

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(request)
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.api_key is not None and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return _error(401, f"Incorrect API key provided: {sent}.", "invalid_api_key")
        now = asyncio.get_running_loop().time()
        if refusal := self.gate.refusal(self.in_flight, now):
            return _error(429, refusal[0], "rate_limit_exceeded", refusal[1])
        headers = self.gate.headers(now)
        async with self.gate.worker():
            response = await self._work(request)
        if not response.prepared:
            response.headers.update(headers)
        return response

    async def _work(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not body["messages"]:
            return _error(400, "messages must not be empty.", "invalid_request_error")
        prompt = body["messages"][-1]["content"]
        self.seen[prompt] += 1
        if self.keep_bodies:
            self.bodies.append(body)
        await asyncio.sleep(self.delay)
        if self._holds():
            self.held += 1
            while self._holds():  # noqa: ASYNC110 (it is raised from another thread)
                await asyncio.sleep(0.01)
            self.held -= 1
        if self.respond is not None:
            status, content, headers = self.respond(body, self.seen[prompt])
            if status == 200:
                self.answered[prompt] += 1
            if status == 200 and body.get("stream"):
                return await stream(request, content, self.pace)
            return web.json_response(content, status=status, headers=headers)
        fault = self.faults.of(prompt)
        if fault and (fault in LASTING or self.seen[prompt] == 1):
            return await self._misbehave(fault, request, body)
        self.answered[prompt] += 1
        content = chat_completion(body, self._text(prompt))
        return await stream(request, content, self.pace) if body.get("stream") else web.json_response(content)

    def _holds(self) -> bool:
        return self.hold_after is not None and self.answered.total() >= self.hold_after

    def _text(self, prompt: str) -> str:
        question = prompt.rpartition("Question: ")[2].strip()
        return completion(f"I answer: {question}", self.answers.get(question, "SELECT 1"))

    async def _misbehave(self, fault: str, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        match fault:
            case "error_400":
                return _error(400, "This request is not to our taste.", "invalid_request_error")
            case "error_500":
                return _error(500, "The server had an error.", "server_error")
            case "error_429":
                headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
                return _error(429, "Rate limit reached.", "rate_limit_exceeded", headers)
            case "reset":
                if request.transport is not None:  # else the client was killed meanwhile
                    request.transport.abort()
                return web.Response()
            case "stall":
                await asyncio.sleep(self.hang)
                return web.Response(status=504)
            case "torn":
                response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
                await response.prepare(request)
                await response.write(b'{"choices": [{"message": {"content": "<thi')
                if request.transport is not None:
                    request.transport.close()
                return response
        self.answered[body["messages"][-1]["content"]] += 1
        if fault == "empty":
            return web.json_response(chat_completion(body, ""))
        return web.json_response(chat_completion(body, "<think>\nI begin, but", finish_reason="length"))

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "requests": self.seen.total(),
                "prompts": len(self.seen),
                "answered": self.answered.total(),
                "refused_for_limits": self.gate.refused,
                "answered_twice": sum(n - 1 for n in self.answered.values()),
                "most_in_flight": self.most_in_flight,
            }
        )


def chat_completion(body: Mapping[str, Any], text: str, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """The body of a chat completion with `text` as its content; message: further fields of the message."""
    prompt_tokens = sum(len(m["content"]) for m in body["messages"]) // 4
    tokens = len(text) // 4
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens},
    }


def _error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status, headers=headers)


def main() -> None:
    """Serves until it is killed; prints its URL first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", help="a .jsonl or .parquet file with questions and their queries")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until an answer")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--retry-after", help="what 429 answers carry as Retry-After")
    for f in fields(Faults):
        parser.add_argument("--" + f.name.replace("_", "-"), type=float, default=0.0, help="share of the prompts")
    parser.add_argument("--at-once", type=int, help="requests that are taken in at once; more get 429")
    parser.add_argument("--workers", type=int, help="requests that are worked on at once; more wait")
    parser.add_argument("--rpm", type=int, help="requests a minute, told in x-ratelimit headers; more get 429")
    options = parser.parse_args()

    server = ChatServer(
        answers=answers_in(options.answers),
        faults=Faults(**{f.name: getattr(options, f.name) for f in fields(Faults)}),
        limits=ServerLimits(at_once=options.at_once, workers=options.workers, rpm=options.rpm),
        delay=options.delay,
        retry_after=options.retry_after,
        port=options.port,
        keep_bodies=False,
    )

    serve_until_killed(server)


if __name__ == "__main__":
    main()
