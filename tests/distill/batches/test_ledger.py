"""Batches on record: a run is stopped, cut off after every line of its journal, and carried on."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from batch_bench import HOUR, Bench, request, right, until

from sql_rl.distill.batches import check_none_open
from sql_rl.distill.journal import Journal
from sql_rl.distill.window import Stopped
from sql_rl.errors import UsageError
from sql_rl.testing.batch_server import Fate
from sql_rl.testing.chat_server import chat_completion


async def leave_behind(bench: Bench, count: int) -> None:
    """A run that is broken off while a batch of so many requests travels, for an hour."""
    bench.server.fates = [Fate(seconds=HOUR)]
    async with bench.run() as ask:
        early = [asyncio.create_task(ask(request(row))) for row in range(count)]
        await until(lambda: bench.server.batches)
        for task in early:
            task.cancel()


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
    await leave_behind(bench, 1)
    wrong = r"at the provider: 1 request in 1 batch; carry on with --batch-api"
    with Journal(bench.path, {}, 1, lambda: None) as journal, pytest.raises(UsageError, match=wrong):
        check_none_open(journal)
    assert right(await bench.ask(1))
    with Journal(bench.path, {}, 1, lambda: None) as journal:
        check_none_open(journal)


async def test_what_still_travels_is_waited_for_while_others_depart(bench: Bench):
    await leave_behind(bench, 2)
    assert right(await bench.ask(5))
    assert [len(b.requests) for b in bench.server.batches] == [2, 3]
    assert bench.server.answered_twice == 0


async def test_answers_of_an_earlier_run_are_harvested_though_nobody_asks(bench: Bench):
    await leave_behind(bench, 1)
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
