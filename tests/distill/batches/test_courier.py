"""A provider of batches that fails: nothing is lost, nothing is paid twice."""

from typing import Any

import pytest
from batch_bench import Bench, right

from sql_rl.errors import RefusedError, SqlRlError, StoppedEarlyError
from sql_rl.testing.batch_server import BatchServer, Fate


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
