"""A Batch API on loopback that loses, fails and expires on command: OpenAI's endpoints for files and batches.

    python -m sql_rl.testing.batch_server --answers rows.jsonl --seconds 60

`GET /stats` tells what was run and answered.
Time is the test's: how a batch stands follows from its age on an injected clock, nothing waits. Limits are enforced,
results are shuffled, refused requests go to the error file, and every answer is counted as a provider would bill it.
"""

import argparse
import asyncio
import contextlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aiohttp import web

from sql_rl.prompts import completion
from sql_rl.testing.chat_server import chat_completion
from sql_rl.testing.serving import answers_in, in_a_thread, listen, serve_until_killed

# The share of its time at which a batch leaves `validating`, and at which it enters `finalizing`.
_VALIDATED, _FINALIZING = 0.2, 0.8


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a batch. seconds: on the server's clock, from its creation to its end.

    end: its last status. answered: share of its requests that were run by then, in the file's order (of a completed
    one: all). code: the error of a failed one. known_from: seconds until it is listed and found; inf is never.
    """

    seconds: float = 0.0
    end: Literal["completed", "expired", "failed", "cancelled"] = "completed"
    answered: float = 1.0
    code: str = ""
    known_from: float = 0.0


@dataclass(slots=True)
class _Batch:
    id: str
    input_file: str
    created: float
    metadata: dict[str, str]
    fate: Fate
    requests: list[dict[str, Any]]
    files: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class BatchServer:
    """One server. answers: question -> query; unknown questions are answered with `SELECT 1`.

    respond: instead of answers, (request body, how often this prompt was run before) -> status, body.
    fates: of the next batches, in the order in which they are created; fate: of all others.
    faults: call -> what meets its next ones: a status to answer without doing anything; 'lost' does it and drops the
    connection. Calls are upload, create, list, retrieve, content, cancel. hold: a call that is done but not answered
    until this is another one. calls: how often each came. answered: how often each custom_id got an answer.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    respond: Callable[[dict[str, Any], int], tuple[int, Any]] | None = None
    fates: list[Fate] = field(default_factory=list)
    fate: Fate = field(default_factory=Fate)
    faults: defaultdict[str, list[int | Literal["lost"]]] = field(default_factory=lambda: defaultdict(list))
    hold: str = ""
    clock: Callable[[], float] = time.time
    api_key: str | None = None
    max_lines: int = 50_000
    max_bytes: int = 200_000_000
    max_enqueued: int | None = None
    page: int = 100
    calls: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: list[_Batch] = field(default_factory=list)
    port: int = 0
    _runs: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def answered_twice(self) -> int:
        """Answers to requests that had got one before."""
        return sum(n - 1 for n in self.answered.values())

    @contextlib.contextmanager
    def running(self) -> Iterator["BatchServer"]:
        """Serves from a thread of its own, on a free port of loopback, until the block ends."""
        with in_a_thread(self.start):
            yield self

    async def start(self) -> web.AppRunner:
        """Opens the port (`port`, or a free one) in the running loop."""
        runner = await listen(self._app(), self.port)
        self.port = runner.addresses[0][1]
        return runner

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=self.max_bytes + 2**20)
        for method, path, call, handler in (
            ("POST", "/v1/files", "upload", self._upload),
            ("GET", "/v1/files/{id}/content", "content", self._content),
            ("POST", "/v1/batches", "create", self._create),
            ("GET", "/v1/batches", "list", self._list),
            ("GET", "/v1/batches/{id}", "retrieve", self._retrieve),
            ("POST", "/v1/batches/{id}/cancel", "cancel", self._cancel),
        ):
            app.router.add_route(method, path, self._door(call, handler))
        app.router.add_get("/stats", self._stats)
        return app

    def _door(
        self, call: str, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def enter(request: web.Request) -> web.Response:
            fault = self.faults[call].pop(0) if self.faults[call] else None
            if isinstance(fault, int):
                answer = _error(fault, "The server had an error.", "server_error")
            elif self.api_key is not None and request.headers.get("Authorization") != f"Bearer {self.api_key}":
                sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
                answer = _error(401, f"Incorrect API key provided: {sent}.", "invalid_api_key")
            else:
                answer = await handler(request)
            self.calls[call] += 1
            while self.hold == call:  # noqa: ASYNC110 (it is set from another thread)
                await asyncio.sleep(0.005)
            if fault == "lost":
                request.transport.abort()
            return answer

        return enter

    async def _stats(self, request: web.Request) -> web.Response:
        told = [self._told(batch) for batch in self.batches]
        return web.json_response(
            {
                "batches": dict(Counter(batch["status"] for batch in told)),
                "requests": sum(len(batch.requests) for batch in self.batches),
                "answered": self.answered.total(),
                "answered_twice": self.answered_twice,
            }
        )

    # -- files ---------------------------------------------------------------------------------------------------------

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        content = form["file"].file.read()
        if form["purpose"] != "batch":
            return _error(400, f"Invalid purpose {form['purpose']}.", "invalid_purpose", "purpose")
        if len(content) > self.max_bytes:
            return _error(400, f"The file has {len(content)} bytes.", "file_too_large", "file")
        return web.json_response({"id": self._store(content), "object": "file", "bytes": len(content)})

    def _store(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    async def _content(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["id"])
        return _error(404, "No such File object.") if content is None else web.Response(body=content)

    # -- batches -------------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["input_file_id"] not in self.files:
            return _error(400, f"Cannot find file {asked['input_file_id']}.", param="file_id")
        lines = self.files[asked["input_file_id"]].splitlines()
        requests = [json.loads(line) for line in lines]
        fate = self.fates.pop(0) if self.fates else self.fate
        if problem := self._refused(asked, requests):
            fate = replace(fate, end="failed", code=problem)
        batch = _Batch(
            f"batch_{len(self.batches)}",
            asked["input_file_id"],
            self.clock(),
            asked.get("metadata") or {},
            fate,
            requests,
        )
        self.batches.append(batch)
        return web.json_response(self._told(batch))

    def _refused(self, asked: dict[str, Any], requests: list[dict[str, Any]]) -> str:
        """The error that fails the whole batch, '' for none."""
        enqueued = sum(len(b.requests) for b in self.batches if self._status(b) in ("validating", "in_progress"))
        if not requests:
            return "empty_file"
        if len(requests) > self.max_lines:
            return "too_many_tasks"
        if len({r["custom_id"] for r in requests}) < len(requests):
            return "duplicate_custom_id"
        if any((r["method"], r["url"]) != ("POST", asked["endpoint"]) for r in requests):
            return "url_mismatch"
        if self.max_enqueued is not None and enqueued + len(requests) > self.max_enqueued:
            return "token_limit_exceeded"
        return ""

    async def _list(self, request: web.Request) -> web.Response:
        newest_first = [b for b in reversed(self.batches) if self._is_known(b)]
        ids = [b.id for b in newest_first]
        start = ids.index(request.query["after"]) + 1 if "after" in request.query else 0
        end = start + min(self.page, int(request.query.get("limit", 20)))
        data = [self._told(b) for b in newest_first[start:end]]
        return web.json_response({"object": "list", "data": data, "has_more": end < len(ids)})

    async def _retrieve(self, request: web.Request) -> web.Response:
        batch = self._batch(request)
        return web.json_response(self._told(batch)) if batch else _error(404, "No such Batch object.")

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self._batch(request)
        if batch is None:
            return _error(404, "No such Batch object.")
        age = self.clock() - batch.created
        done = min(1.0, age / batch.fate.seconds) if batch.fate.seconds else 1.0
        batch.fate = Fate(seconds=age, end="cancelled", answered=done * batch.fate.answered)
        return web.json_response(self._told(batch))

    def _batch(self, request: web.Request) -> _Batch | None:
        return next((b for b in self.batches if b.id == request.match_info["id"] and self._is_known(b)), None)

    def _is_known(self, batch: _Batch) -> bool:
        return self.clock() - batch.created >= batch.fate.known_from

    def _status(self, batch: _Batch) -> str:
        """How a batch stands at its age. Ended ones have been run."""
        age, fate = self.clock() - batch.created, batch.fate
        if age < _VALIDATED * fate.seconds:
            return "validating"
        if fate.end == "failed":
            return "failed"
        if age < fate.seconds:
            return "in_progress" if age < _FINALIZING * fate.seconds else "finalizing"
        if not batch.counts:
            self._run(batch)
        return fate.end

    def _run(self, batch: _Batch) -> None:
        """Answers what is answered, in any order, and writes the files."""
        answered = round(len(batch.requests) * batch.fate.answered)
        output, errors = list[dict[str, Any]](), list[dict[str, Any]]()
        for number, request in enumerate(batch.requests):
            line = {"id": f"batch_req_{number}", "custom_id": request["custom_id"], "response": None, "error": None}
            if number >= answered:
                message = "This request could not be executed before the completion window expired."
                errors.append(line | {"error": {"code": f"batch_{batch.fate.end}", "message": message}})
                continue
            status, body = self._answer(request["body"])
            self.answered[request["custom_id"]] += status == 200
            line["response"] = {"status_code": status, "request_id": f"req_{number}", "body": body}
            (output if status == 200 else errors).append(line)
        for name, lines in (("output_file_id", output), ("error_file_id", errors)):
            self._random.shuffle(lines)
            if lines:
                batch.files[name] = self._store(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        batch.counts = {"total": len(batch.requests), "completed": len(output), "failed": len(errors)}

    def _answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        prompt = body["messages"][-1]["content"]
        self._runs[prompt] += 1
        if self.respond is not None:
            status, content = self.respond(body, self._runs[prompt] - 1)
        else:
            question = prompt.rpartition("Question: ")[2].strip()
            text = completion(f"I answer: {question}", self.answers.get(question, "SELECT 1"))
            status, content = 200, chat_completion(body, text)
        return status, content

    def _told(self, batch: _Batch) -> dict[str, Any]:
        """The batch object of the API."""
        status = self._status(batch)
        failed = {"object": "list", "data": [{"code": batch.fate.code, "message": f"It has {batch.fate.code}."}]}
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "input_file_id": batch.input_file,
            "created_at": int(batch.created),
            "status": status,
            "metadata": batch.metadata,
            "errors": failed if status == "failed" else None,
            "request_counts": batch.counts or {"total": len(batch.requests), "completed": 0, "failed": 0},
            "output_file_id": batch.files.get("output_file_id"),
            "error_file_id": batch.files.get("error_file_id", ""),  # OpenAI says '' where there is none
        }


def _error(status: int, message: str, code: str | None = None, param: str | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code, "param": param}}, status=status)


def main() -> None:
    """Serves until it is killed; prints its URL first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", help="a .jsonl or .parquet file with questions and their queries")
    parser.add_argument("--seconds", type=float, default=0.0, help="that each batch takes")
    parser.add_argument("--expire", type=float, help="each batch expires with this share of it answered")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()

    end = Fate(options.seconds) if options.expire is None else Fate(options.seconds, "expired", options.expire)
    server = BatchServer(answers=answers_in(options.answers), fate=end, port=options.port)

    serve_until_killed(server)


if __name__ == "__main__":
    main()
