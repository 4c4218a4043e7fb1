"""A worker without a cluster: its journal, its money, its end."""

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import row, wait_until, write_rows

from sql_rl.configure import Secrets
from sql_rl.distill.cluster.merge import Intake
from sql_rl.distill.cluster.purse import Account
from sql_rl.distill.cluster.shards import Shard
from sql_rl.distill.cluster.worker import Worker
from sql_rl.distill.journal import Journal
from sql_rl.errors import RefusedError, UsageError
from sql_rl.testing.chat_server import ChatServer, Faults

ROOT = Path(__file__).parents[3]


async def opened(run, secrets: Secrets | None = None, base_url: str | None = None) -> Worker:
    probe = run.folder.workers / "x.probe"
    probe.write_text("token")
    worker = Worker()
    run = dataclasses.replace(run, settings=dataclasses.replace(run.settings, base_url=base_url))
    await worker.open(run, secrets or Secrets(), run.folder.workers / "a.jsonl", (probe, "token"))
    return worker


async def told(worker: Worker, condition: Callable[[Account], Any]) -> Account:
    """What the worker tells of its money once the condition holds; it is lent nothing meanwhile."""
    for _ in range(1000):
        if condition(account := (await worker.beat(0.0)).account):
            return account
        await asyncio.sleep(0.01)
    raise AssertionError(f"it does not come to that: {account}")


async def test_a_shard_leaves_its_lines_and_its_counters(planned, journal: Journal):
    run, source = planned(validate=True)
    worker = await opened(run)
    ended = await worker.settle(Shard(1, tuple(source.examples()), ()))
    assert (ended.counters.rows, ended.counters.accepted, ended.unanswered, ended.why) == (12, 12, (), None)
    kinds = [line["kind"] for line in Intake(run.folder.workers / "a.jsonl").take_in(journal)]
    assert sorted(kinds) == ["completion"] * 12 + ["judgement"] * 12
    assert (await worker.beat(0.0)).counters == {}
    assert set(await worker.close()) == {"retried", "throttled_seconds", "fullness", "timeline"}


@pytest.mark.parametrize("content", [None, "of another run"])
async def test_a_folder_that_is_not_the_drivers_is_told(planned, content: str | None):
    run, _ = planned()
    probe = run.folder.workers / "x.probe"
    if content:
        probe.write_text(content)
    with pytest.raises(UsageError, match=r"does not see .*: give an --output-dir on storage that all nodes share"):
        await Worker().open(run, Secrets(), run.folder.workers / "a.jsonl", (probe, "token"))


async def test_what_ends_the_run_comes_back_as_a_value(planned, chat_server: ChatServer):
    chat_server.api_key = "right"
    run, source = planned(provider="openai")
    worker = await opened(run, Secrets(api_key="wrong"), chat_server.url)
    ended = await worker.settle(Shard(1, tuple(source.examples()), ()))
    assert isinstance(ended.why, RefusedError)
    assert (await worker.beat(0.0)).why is ended.why, "so the driver hears of it before the shard has ended"
    assert "wrong" not in str(ended.why)
    await worker.close()


@pytest.mark.parametrize(("refused", "ends"), [(12, False), (30, True)])
async def test_a_shard_of_nothing_but_refusals_blames_no_row_unless_they_are_few(
    planned, chat_server: ChatServer, journal: Journal, refused: int, ends: bool
):
    chat_server.respond = lambda body, visit: (400, {"error": {"message": "no such parameter"}}, {})
    run, source = planned([row(i) for i in range(refused)], provider="openai", batch_size=64)
    worker = await opened(run, base_url=chat_server.url)
    ended = await worker.settle(Shard(1, tuple(source.examples()), ()))
    assert isinstance(ended.why, UsageError) is ends
    await worker.close()
    recorded = [line["kind"] for line in Intake(run.folder.workers / "a.jsonl").take_in(journal)]
    assert recorded == ([] if ends else ["refusal"] * refused)


ORPHAN = """
import asyncio, dataclasses, sys
from pathlib import Path
from sql_rl.configure import Secrets, load
from sql_rl.distill.cluster import worker
from sql_rl.distill.cluster.shards import Shard
from sql_rl.distill.plan import plan, rows_of

async def orphan(url, rows):
    worker.DRIVER_SILENT = 4.0
    flags = {"dataset_repo_id": rows, "output_dir": "out", "validate": True}
    settings, secrets = load({"base_url": url, **{f"distill.{name}": value for name, value in flags.items()}})
    run = plan(settings)
    probe = run.folder.workers / "x.probe"
    run.folder.workers.mkdir(parents=True)
    probe.write_text("token")
    orphan = worker.Worker()
    await orphan.open(run, secrets, run.folder.workers / "a.jsonl", (probe, "token"))
    await orphan.settle(Shard(1, tuple(rows_of(settings, secrets).examples()), ()))

asyncio.run(orphan(*sys.argv[1:]))
"""


def test_without_a_driver_it_ends_itself_and_keeps_what_it_has(
    tmp_path: Path, clean_environ: dict[str, str], chat_server: ChatServer, journal: Journal
):
    """A program of its own, whose driver is silent from the start; some of the answers would take an hour."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(12)])
    chat_server.answers = {row(i)["sql_prompt"]: row(i)["sql"] for i in range(12)}
    chat_server.faults = Faults(stall=0.3)
    ended = subprocess.run(
        [sys.executable, "-c", ORPHAN, chat_server.url, str(rows)],
        cwd=tmp_path, env=clean_environ | {"API_KEY": "k", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, "no driver any more: this worker ends\n")
    lines = Intake(tmp_path / "out" / "workers" / "a.jsonl").take_in(journal)
    assert 0 < sum(line["kind"] == "completion" for line in lines) == chat_server.answered.total() < 12


async def test_no_money_no_request_and_a_stop_lets_nobody_wait(planned, tmp_path: Path, chat_server: ChatServer):
    prices = tmp_path / "prices.yaml"
    prices.write_text("models:\n  m: {input: 0, cached: 0, output: 1000}\n")
    money = {"model": "m", "prices": str(prices), "max_cost": 100.0}
    run, source = planned([row(i) for i in range(4)], provider="openai", retries=0, **money)
    worker = await opened(run, Secrets(api_key="k"), chat_server.url)
    settling = asyncio.create_task(worker.settle(Shard(1, tuple(source.examples()), ())))
    need = (await told(worker, lambda account: account.short is not None)).short
    assert need == pytest.approx(2.048)
    assert chat_server.seen.total() == 0
    assert (await worker.beat(2.06)).account.returned == 0.0
    await asyncio.to_thread(wait_until, lambda: chat_server.answered)
    await told(worker, lambda account: account.short is not None)
    assert chat_server.answered.total() == 1, "so much pays for one request, and was taken back then"
    await worker.stop(at_once=False)
    ended = await asyncio.wait_for(settling, 10)
    assert (ended.counters.rows, ended.why) == (1, None), "the driver's own stop is no reason of the worker's"
    await worker.close()
