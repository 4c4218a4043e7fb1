"""A provider of batches that fails: nothing is lost, nothing is paid twice."""

from typing import Any

import pytest
from aiohttp import web
from batch_bench import Bench, right

from sql_rl.distill.batches import check_none_open
from sql_rl.distill.journal import Journal
from sql_rl.errors import RefusedError, SqlRlError, StoppedEarlyError, UsageError
from sql_rl.testing.batch_server import BatchServer, Fate
from sql_rl.testing.serving import listen


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


@pytest.mark.parametrize(("call", "status"), [("upload", 404), ("upload", 401), ("create", 404), ("create", 401)])
async def test_what_was_refused_is_not_at_the_provider(bench: Bench, call: str, status: int):
    """A run is told to leave --batch-api out where nobody offers it, and must not be told then to take it again."""
    bench.server.faults[call] = [status]
    assert isinstance((await bench.ask(2))[0], SqlRlError)
    assert not [line for line in bench.said if "still at the provider" in line]
    with Journal(bench.path, {}, 1, lambda: None) as journal:
        check_none_open(journal)
    assert right(await bench.ask(2))


async def test_what_may_have_been_created_is_still_looked_for(bench: Bench):
    """Its answer was lost, and then the key was refused: nobody knows whether it is there."""
    bench.server.faults["create"], bench.server.faults["list"] = ["lost"], [401]
    assert {type(a) for a in await bench.ask(2)} == {RefusedError}
    assert right(await bench.ask(2))
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)


@pytest.mark.parametrize("body", ["<html>hello</html>", "[]", "{}"])
async def test_a_server_that_is_no_batch_api_is_told(bench: Bench, body: str):
    async def handle(_: web.BaseRequest) -> web.Response:
        return web.Response(text=body, content_type="text/html" if "<" in body else "application/json")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    runner = await listen(app, 0)
    answers = await bench.ask(2, url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    await runner.cleanup()
    assert {type(a) for a in answers} == {UsageError}
    assert "If not, leave --batch-api out" in str(answers[0])


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
