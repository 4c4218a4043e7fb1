"""Requests by the batch, against a real server on loopback: nothing is lost, nothing is paid twice.

Time is injected, into the server as well, and passes only where somebody sleeps. A run is cut off after every line of
its journal; as a program of its own (this file) it is killed at every call.
"""

import asyncio
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sql_rl.configure import Secrets
from sql_rl.distill.batches import Batches, batches, check_none_open
from sql_rl.distill.batches.lines import packed, result
from sql_rl.distill.journal import Journal
from sql_rl.distill.recorded import RecordedTeacher, request_key
from sql_rl.distill.window import GaveUp, Stopped
from sql_rl.errors import RefusedError, SqlRlError, StoppedEarlyError, UsageError
from sql_rl.examples import Example
from sql_rl.runs.drive import Stop, signals
from sql_rl.teachers.base import Completion, Refusal, Request, Sampling, Transient
from sql_rl.teachers.batch_api import BatchApi
from sql_rl.testing.batch_server import BatchServer, Fate
from sql_rl.testing.chat_server import chat_completion

HOUR = 3600.0
ROOT = Path(__file__).parents[2]


class Known:
    """As much of a teacher as the key of a request needs."""

    def identity(self, request: Request) -> dict[str, object]:
        return {"provider": "openai"}


def request(row: int, question: str = "") -> Request:
    example = Example(row=row, id=str(row), question="q", context="c", gold="g")
    prompt = [{"role": "user", "content": f"Question: {question or f'q{row}'}"}]
    return Request(example, prompt, Sampling(None, 16, None), 0)


def body(request: Request) -> Mapping[str, Any]:
    return {"model": "m", "messages": request.messages, "max_tokens": request.sampling.max_tokens}


@dataclass
class Clock:
    """Unix time that passes only when somebody sleeps."""

    now: float = 1e9

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0.001)


@dataclass
class Bench:
    """A server, a journal, and runs over both, one after the other."""

    server: BatchServer
    path: Path
    clock: Clock
    said: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def run(self, **changes: Any) -> AsyncIterator[RecordedTeacher]:
        """`ask` of a run that carries on from the journal."""
        api = BatchApi(changes.get("url", self.server.url), Secrets(api_key="sk-secret"), timeout=5.0, price_share=0.5)
        with Journal(self.path, {}, 1, lambda: None) as journal:
            key = partial(request_key, model="m", teacher=Known())
            sending = Batches(api, journal, key, body, self.stop, self.said.append, self.clock.sleep, self.clock)
            async with sending:
                yield RecordedTeacher(journal, Known(), "m", sending)

    async def ask(self, rows: int, **changes: Any) -> list[Completion | BaseException]:
        """A whole run that asks for so many rows at once."""
        async with self.run(**changes) as ask:
            return await asyncio.gather(*(ask(request(row)) for row in range(rows)), return_exceptions=True)

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.path.read_text().splitlines()) if line["kind"] == kind]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = Clock()
    server = BatchServer(answers={f"q{row}": f"SELECT {row}" for row in range(100)}, clock=clock)
    with server.running():
        yield Bench(server, tmp_path / "journal.jsonl", clock)


async def until(true: Callable[[], object]) -> None:
    """Waits for what the server's thread or another task does."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def right(answers: list[Completion | BaseException]) -> bool:
    """Does each row have its own answer?"""
    return all(
        isinstance(a, Completion) and f"SELECT {row}<" in a.text.replace("\n", "") for row, a in enumerate(answers)
    )


# -- a batch that goes well -------------------------------------------------------------------------------------------


async def test_everybody_who_waits_travels_in_one_batch(bench: Bench):
    bench.server.fates = [Fate(seconds=2 * HOUR)]
    answers = await bench.ask(25)
    assert right(answers)
    assert (len(bench.server.batches), len(bench.lines("completion"))) == (1, 25)
    assert [line["row"] for line in bench.lines("completion")] != list(range(25)), "answers come in any order"
    assert {answer.price_share for answer in answers} == {0.5}
    assert bench.clock.now - 1e9 >= 2 * HOUR
    assert bench.said[0] == "batch_0: 25 requests submitted"
    assert bench.said[-1] == "batch_0: completed, 25 of 25 answered, 0 failed"
    assert bench.server.calls["retrieve"] <= 2 * 60 + 10, "once a minute, after a quicker start"
    assert right(await bench.ask(25)), "the journal answers"
    assert len(bench.server.batches) == 1


async def test_who_comes_later_travels_in_the_next(bench: Bench):
    async with bench.run() as ask:
        assert right([await ask(request(0)), await ask(request(1))])
        assert right(await asyncio.gather(ask(request(0)), ask(request(1)), ask(request(2))))
    assert [len(b.requests) for b in bench.server.batches] == [1, 1, 1]


async def test_the_same_question_in_two_rows_is_paid_once(bench: Bench):
    async with bench.run() as ask:
        first, second = await asyncio.gather(ask(request(0, "q7")), ask(request(1, "q7")))
    assert first == second
    assert bench.server.answered.total() == 1


async def test_a_full_file_is_followed_by_another(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "MAX_LINES", 10)
    bench.server.max_lines = 10
    assert right(await bench.ask(25))
    assert sorted(len(b.requests) for b in bench.server.batches) == [5, 10, 10]


@pytest.mark.parametrize(
    ("lines", "room", "files"),
    [
        (2, 10**6, [["a", "b"], ["c"]]),
        (9, 250, [["a", "b"], ["c"]]),
        (9, 1, [["a"], ["b"], ["c"]]),
        (9, 10**6, [["a", "b", "c"]]),
    ],
)
def test_files_keep_the_limits(lines: int, room: int, files: list[list[str]]):
    made = list(packed([(key, {"text": "ä\u2028"}) for key in "abc"], lines, room))
    assert [keys for keys, _ in made] == files
    for keys, content in made:
        assert [json.loads(line)["custom_id"] for line in content.splitlines()] == keys
        assert len(content) <= room or len(keys) == 1
    assert not list(packed([], lines, room))


# -- requests that come back without an answer ------------------------------------------------------------------------


async def test_what_an_expired_batch_left_travels_again(bench: Bench):
    bench.server.fates = [Fate(seconds=HOUR, end="expired", answered=0.4), Fate(end="expired", answered=0.5)]
    assert right(await bench.ask(20))
    assert [len(b.requests) for b in bench.server.batches] == [20, 12, 6]
    assert bench.server.answered_twice == 0


async def test_a_refused_request_is_refused_and_never_sent_again(bench: Bench):
    def respond(asked: dict[str, Any], visit: int) -> tuple[int, Any]:
        if asked["messages"][-1]["content"] == "Question: q3":
            return 400, {"error": {"message": "not to our taste", "code": "invalid_request_error"}}
        return 200, chat_completion(asked, "SELECT 1")

    bench.server.respond = respond
    for _ in range(2):
        answers = await bench.ask(5)
        assert [isinstance(a, Refusal) for a in answers] == [False, False, False, True, False]
        assert "not to our taste" in str(answers[3])
    assert len(bench.server.batches) == 1
    assert [line["row"] for line in bench.lines("refusal")] == [3]


async def test_a_server_s_error_is_tried_in_three_batches(bench: Bench):
    def respond(asked: dict[str, Any], visit: int) -> tuple[int, Any]:
        failures = {"Question: q1": 2, "Question: q2": 99}.get(asked["messages"][-1]["content"], 0)
        return (500, {"error": {"message": "oops"}}) if visit < failures else (200, chat_completion(asked, "SELECT 1"))

    bench.server.respond = respond
    answers = await bench.ask(3)
    assert [type(a) for a in answers] == [Completion, Completion, GaveUp]
    assert "500 from /v1/chat/completions: oops (3 batches)" in str(answers[2])
    assert [len(b.requests) for b in bench.server.batches] == [3, 2, 2]
    assert not bench.lines("refusal"), "the next run asks again"


async def test_a_batch_that_vanished_is_said_and_asked_again(bench: Bench):
    bench.server.fates = [Fate(known_from=math.inf)]
    assert right(await bench.ask(3))
    assert bench.said[1] == "batch_0: the provider knows it no more; its 3 requests go again, perhaps paid twice"
    assert len(bench.server.batches) == 2


async def test_answers_that_are_in_no_file_are_said_and_asked_again(bench: Bench):
    bench.server.faults["content"] = [404]
    assert right(await bench.ask(3))
    assert "batch_0: 3 of 3 answers are lost; they go again, paid twice" in bench.said
    assert bench.server.answered_twice == 3


LINES = {
    "answer": (
        {"response": {"status_code": 200, "body": chat_completion({"model": "m", "messages": []}, "x")}},
        Completion,
    ),
    "no completion": ({"response": {"status_code": 200, "body": {}}}, Transient),
    "refused": ({"response": {"status_code": 422, "body": {"error": {"message": "no"}}}}, Refusal),
    "overloaded": ({"response": {"status_code": 503, "body": "busy"}}, Transient),
    "no such model": ({"response": {"status_code": 404, "body": {"error": {"message": "no model"}}}}, UsageError),
    "never run": ({"response": None, "error": {"code": "batch_expired", "message": "expired"}}, Transient),
    "nothing at all": ({}, Transient),
}


@pytest.mark.parametrize(("content", "meaning"), LINES.values(), ids=LINES.keys())
def test_what_a_line_means(content: dict[str, Any], meaning: type):
    key, answer = result(json.dumps({"custom_id": "k"} | content).encode(), 0.5)
    assert key == "k"
    assert isinstance(answer, meaning)


@pytest.mark.parametrize(
    "line", [b'{"custom_id": "k", "resp', b"[]", b'{"response": {}}', b'{"custom_id": "k", "response": 7}']
)
def test_what_is_no_line(line: bytes):
    with pytest.raises(ValueError):
        result(line, 0.5)


# -- batches that are not run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "error", "message"),
    [
        (Fate(end="failed", code="model_not_found"), SqlRlError, "batch batch_0 was not run: It has model_not_found"),
        (Fate(end="failed", code="insufficient_quota"), StoppedEarlyError, "It has insufficient_quota"),
        (Fate(end="cancelled", answered=0.5), StoppedEarlyError, "batch_0 was cancelled at the provider"),
    ],
)
async def test_what_another_batch_would_meet_too_ends_the_run(bench: Bench, fate: Fate, error: type, message: str):
    bench.server.fates = [fate]
    answers = await bench.ask(4)
    assert {type(a) for a in answers} == {error}
    assert message in str(answers[0])
    assert right(await bench.ask(4)), "the next run asks for what there is no answer to"
    assert bench.server.answered_twice == 0


@pytest.mark.parametrize(("most", "rows"), [(7, 20), (1, 3)])
async def test_batches_shrink_until_the_provider_takes_them(bench: Bench, most: int, rows: int):
    bench.server.max_enqueued = most
    bench.server.fates = [Fate(seconds=HOUR) for _ in range(99)]
    assert right(await bench.ask(rows))
    assert bench.server.answered_twice == 0


async def test_no_room_for_a_single_request_stops_the_run(bench: Bench):
    bench.server.max_enqueued = 0
    answers = await bench.ask(5)
    assert {type(a) for a in answers} == {StoppedEarlyError}
    assert "enqueued tokens" in str(answers[0])


# -- a provider that fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [500, 429, "lost"])
@pytest.mark.parametrize("call", ["upload", "create", "retrieve", "content"])
async def test_failing_calls_cost_nothing(bench: Bench, call: str, fault: Any):
    bench.server.faults[call] = [fault, fault]
    assert right(await bench.ask(3))
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)


@pytest.mark.parametrize("fault", [[], ["lost"], [500]])
async def test_a_batch_that_is_listed_late_is_not_created_again(bench: Bench, fault: list[Any]):
    bench.server.faults["create"] = fault
    bench.server.fates = [Fate(known_from=25.0)]
    assert right(await bench.ask(3))
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)


async def test_a_refused_key_ends_the_run(bench: Bench):
    bench.server.api_key = "another"
    answers = await bench.ask(2)
    assert {type(a) for a in answers} == {RefusedError}


async def test_a_server_that_was_never_reached_ends_the_run_soon(bench: Bench):
    with BatchServer().running() as gone:
        url = gone.url
    answers = await bench.ask(2, url=url)
    assert {type(a) for a in answers} == {SqlRlError}
    assert "is the server running, and --base-url right?" in str(answers[0])
    assert bench.clock.now - 1e9 < 60


async def test_an_outage_is_waited_for_and_then_left_to_the_next_run(bench: Bench):
    bench.server.faults["retrieve"] = [503] * 30
    assert right(await bench.ask(1))
    bench.server.faults["retrieve"] = [503] * 40
    answers = await bench.ask(2)
    assert isinstance(answers[1], StoppedEarlyError)
    assert "503" in str(answers[1])
    assert right(await bench.ask(2))
    assert bench.server.answered_twice == 0


# -- stopping and carrying on -----------------------------------------------------------------------------------------


async def test_a_stop_leaves_the_batch_to_the_next_run(bench: Bench):
    bench.server.fates = [Fate(seconds=HOUR)]
    async with bench.run() as ask:
        asking = [asyncio.create_task(ask(request(row))) for row in range(4)]
        await until(lambda: bench.server.batches)
        bench.stop.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(a) for a in answers} == {Stopped}
        with pytest.raises(Stopped):
            await ask(request(5))
    assert bench.said[-1].startswith("still at the provider: 4 requests in 1 batch; the same command harvests")
    bench.stop.clear()
    assert right(await bench.ask(4))
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)


async def test_a_run_that_asks_one_by_one_must_not_start_while_batches_travel(bench: Bench):
    bench.server.fates = [Fate(seconds=HOUR)]
    async with bench.run() as ask:
        early = asyncio.create_task(ask(request(0)))
        await until(lambda: bench.server.batches)
        early.cancel()
    wrong = r"at the provider: 1 request in 1 batch; carry on with --batch-api"
    with Journal(bench.path, {}, 1, lambda: None) as journal, pytest.raises(UsageError, match=wrong):
        check_none_open(journal)
    assert right(await bench.ask(1))
    with Journal(bench.path, {}, 1, lambda: None) as journal:
        check_none_open(journal)


async def test_what_still_travels_is_waited_for_while_others_depart(bench: Bench):
    bench.server.fates = [Fate(seconds=HOUR)]
    async with bench.run() as ask:
        early = [asyncio.create_task(ask(request(row))) for row in range(2)]
        await until(lambda: bench.server.batches)
        for task in early:
            task.cancel()
    assert right(await bench.ask(5))
    assert [len(b.requests) for b in bench.server.batches] == [2, 3]
    assert bench.server.answered_twice == 0


async def test_answers_of_an_earlier_run_are_harvested_though_nobody_asks(bench: Bench):
    bench.server.fates = [Fate(seconds=HOUR)]
    async with bench.run() as ask:
        early = asyncio.create_task(ask(request(0)))
        await until(lambda: bench.server.batches)
        early.cancel()
    async with bench.run():
        await until(lambda: bench.lines("harvested"))
    assert len(bench.lines("completion")) == 1


async def test_runs_in_two_folders_do_not_take_each_other_s_batches(bench: Bench, tmp_path: Path):
    other = Bench(bench.server, tmp_path / "other.jsonl", bench.clock)
    assert right(await bench.ask(2))
    assert right(await other.ask(2))
    assert len({b.metadata["sql_rl_batch"] for b in bench.server.batches}) == 2


async def test_cut_off_after_any_line_of_the_journal_nothing_is_paid_twice(bench: Bench):
    """The journal of a run with every kind of end is cut after each line, as a crash there would have left it."""

    def respond(asked: dict[str, Any], visit: int) -> tuple[int, Any]:
        prompt = asked["messages"][-1]["content"]
        status = {"Question: q1": 400, "Question: q2": 500 if visit == 0 else 200}.get(prompt, 200)
        number = prompt.removeprefix("Question: q")
        return status, chat_completion(asked, f"SELECT {number}<") if status == 200 else {"error": {"message": "no"}}

    bench.server.respond = respond
    bench.server.fates = [Fate(seconds=HOUR, end="expired", answered=0.7)]
    whole = await bench.ask(8)
    lines = bench.path.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[:3] == ["run", "batch", "submitted"]
    assert kinds.count("harvested") == 2
    second = max(number for number, kind in enumerate(kinds) if kind == "batch")
    for cut in range(2, len(lines)):
        bench.path.write_bytes(b"".join(lines[:cut]))
        bench.server.answered.clear()
        assert [repr(a) for a in await bench.ask(8)] == [repr(a) for a in whole], f"after {cut} lines"
        left = 3 if cut <= second else 0  # two that expired and one that failed, until their batch is on record
        assert bench.server.answered.total() == left, f"after {cut} lines"


async def test_a_batch_that_was_being_created_in_the_crash_is_found_once_it_is_there(bench: Bench):
    assert right(await bench.ask(3))
    run, batch, *_ = bench.path.read_bytes().splitlines(keepends=True)
    bench.path.write_bytes(run + batch)
    created = bench.server.batches[0]
    created.fate = Fate(known_from=bench.clock.now - created.created + 30.0)
    assert right(await bench.ask(3))
    assert bench.said[-2] == "batch_0: 3 requests found again"
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)


# -- a program that is killed ------------------------------------------------------------------------------------------


@pytest.fixture
def program(bench: Bench, clean_environ: dict[str, str]) -> Callable[[], subprocess.Popen[str]]:
    """Starts this file as a run of 12 requests in a process of its own; no pause takes longer than 20 ms."""
    bench.server.clock = time.time
    command = [sys.executable, __file__, bench.server.url, str(bench.path)]
    return lambda: subprocess.Popen(
        command, env=clean_environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.mark.parametrize("call", ["upload", "create", "retrieve", "content"])
async def test_killed_at_any_call_nothing_is_paid_twice(bench: Bench, program: Callable[[], Any], call: str):
    """Each call is done by the server, and its answer never read."""
    bench.server.hold = call
    bench.server.fates = [Fate(end="expired", answered=0.5)] if call == "content" else []
    with program() as killed:
        await until(lambda: bench.server.calls[call])
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    bench.server.hold = ""
    with program() as carried_on:
        told, problems = carried_on.communicate(timeout=30)
    assert carried_on.returncode == 0, problems
    assert sum(f"SELECT {row} " in line for row, line in enumerate(told.splitlines())) == 12
    assert (bench.server.answered.total(), bench.server.answered_twice) == (12, 0)


async def test_sigterm_says_when_to_come_back(bench: Bench, program: Callable[[], Any]):
    bench.server.fates = [Fate(seconds=3.0)]
    with program() as stopped:
        await until(lambda: bench.server.calls["retrieve"])
        stopped.send_signal(signal.SIGTERM)
        _, problems = stopped.communicate(timeout=30)
    assert stopped.returncode == 3
    assert (
        "still at the provider: 12 requests in 1 batch; the same command harvests what has ended, and by 2" in problems
    )
    assert "sk-secret" not in problems
    with program() as carried_on:
        assert carried_on.communicate(timeout=30)[0].count("SELECT") == 12
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)


async def program_of_its_own(url: str, path: str) -> int:
    """Asks for 12 answers, prints them; the exit code."""
    stop = Stop()
    with Journal(Path(path), {}, 1, lambda: None) as journal, signals(stop):
        key = partial(request_key, model="m", teacher=Known())
        api, say = BatchApi(url, Secrets(api_key="sk-secret"), 10.0, 0.5), partial(print, file=sys.stderr)
        pause = partial(min, 0.02)
        async with Batches(api, journal, key, body, stop.admission, say, lambda s: asyncio.sleep(pause(s))) as sending:
            ask = RecordedTeacher(journal, Known(), "m", sending)
            answers = await asyncio.gather(*(ask(request(row)) for row in range(12)), return_exceptions=True)
    for answer in answers:
        print(answer.text.replace("<", " ").replace("\n", " ") if isinstance(answer, Completion) else repr(answer))
    return stop.why.exit_code if stop.why else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(program_of_its_own(*sys.argv[1:])))
