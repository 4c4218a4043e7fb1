"""The pool with small real processes: routing, death, replacement, and nothing left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sql_rl.examples import Example
from sql_rl.judge import Judge
from sql_rl.judge.pool import Pool, WorkerLost, _Request, _Worker
from sql_rl.settings import JudgeSettings

# A worker that says who it is, and misbehaves as it is told.
WORKER = textwrap.dedent(
    """
    import os, sys, time
    read, write = sys.stdin.buffer, sys.stdout.buffer
    def send(body):
        write.write(len(body).to_bytes(4, "big") + body); write.flush()
    send(b"")
    while length := read.read(4):
        order = read.read(int.from_bytes(length, "big")).decode()
        for word in order.split():
            if word == "hang": time.sleep(60)
            elif word == "die": os._exit(1)
            elif word == "fail": send(b"!KeyError: 'x'"); os._exit(1)
            elif word == "huge": write.write(b"\\xff\\xff\\xff\\xff"); write.flush(); time.sleep(60)
            elif word.startswith("@"): send(word.encode())
            elif word.startswith("sleep"): time.sleep(float(word[5:]))
            elif word.startswith("/"):
                while not os.path.exists(word): time.sleep(0.01)
        send(str(os.getpid()).encode())
    """
)
COMMAND = [sys.executable, "-S", "-c", WORKER]


async def until(condition: Callable[[], bool]) -> None:
    """The pool tells nobody what it does: it is looked at."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_worker_takes_its_own_key_first_then_one_that_nobody_works_on_then_helps(tmp_path: Path):
    """Two are held; one is let go. What it takes last was asked first."""
    served = []

    async def call(key: str) -> None:
        await pool.call(key, b"")
        served.append(key)

    async with Pool(COMMAND, size=2, seconds=60) as pool:
        held = [asyncio.create_task(pool.call(key, str(tmp_path / key).encode())) for key in "ab"]
        await until(lambda: len(pool._busy) == 2)
        others = asyncio.gather(*map(call, "aaccbb"))
        (tmp_path / "b").touch()
        await others
        assert served == [*"bbccaa"]
        (tmp_path / "a").touch()
        assert len(set(await asyncio.gather(*held))) == 2


async def test_an_idle_worker_helps_with_anothers_key(tmp_path: Path):
    async with Pool(COMMAND, size=2, seconds=60) as pool:
        gate = str(tmp_path / "gate").encode()
        held, other = (asyncio.create_task(pool.call("a", order)) for order in (gate, b""))
        await other
        (tmp_path / "gate").touch()
        assert await held != await other


@pytest.mark.parametrize(
    ("order", "phase", "hung", "said"),
    [
        (b"hang", "", True, ""),
        (b"@setup hang", "setup", True, ""),
        (b"@setup @query hang", "query", True, ""),
        (b"die", "", False, ""),
        (b"@setup die", "setup", False, ""),
        (b"@query fail", "query", False, "KeyError: 'x'"),
        (b"huge", "", False, ""),
    ],
)
async def test_a_lost_worker_costs_its_own_request_and_no_other(order, phase, hung, said):
    async with Pool(COMMAND, size=1, seconds=1.0 if hung else 60) as pool:
        first = await pool.call("k", b"")
        lost, *others = await asyncio.gather(
            pool.call("k", order), *(pool.call("k", b"") for _ in range(5)), return_exceptions=True
        )
        assert isinstance(lost, WorkerLost)
        assert (lost.phase, lost.hung, lost.said) == (phase, hung, said)
        assert len(set(others)) == 1
        assert first not in others


async def test_each_phase_has_time_of_its_own():
    async with Pool(COMMAND, size=1, seconds=1.5) as pool:
        assert await pool.call("k", b"sleep0.6 @setup sleep0.6 @query sleep0.6")


def test_a_worker_that_dies_before_it_is_asked_is_lost_on_uvloop_too():
    """There, what is written to a process that is no more raises an error of its own."""
    loops = pytest.importorskip("uvloop")

    async def ask_the_dead() -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*COMMAND, stdin=pipe, stdout=pipe, stderr=pipe)
        process.kill()
        await process.wait()
        with pytest.raises(WorkerLost):
            await _Worker(process).ask(_Request("k", b"", asyncio.get_running_loop().create_future()), seconds=5)

    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        runner.run(ask_the_dead())


async def test_a_replacement_has_already_started():
    async with Pool(COMMAND, size=1, seconds=60) as pool:
        await pool.call("k", b"")
        await until(lambda: len(pool._processes) == 2)
        started = {str(process.pid).encode() for process in pool._processes}
        with pytest.raises(WorkerLost):
            await pool.call("k", b"die")
        assert await pool.call("k", b"") in started


async def test_a_caller_that_gives_up_disturbs_nobody():
    async with Pool(COMMAND, size=1, seconds=60) as pool:
        impatient = asyncio.create_task(pool.call("k", b"sleep0.3"))
        patient = asyncio.create_task(pool.call("k", b""))
        await asyncio.sleep(0.1)
        impatient.cancel()
        assert await patient


async def test_what_nobody_waits_for_is_not_worked_on(tmp_path: Path):
    async with Pool(COMMAND, size=1, seconds=10) as pool:
        busy = asyncio.create_task(pool.call("k", str(tmp_path / "gate").encode()))
        asked = [asyncio.create_task(pool.call("k", str(tmp_path / "never").encode())) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in asked:
            task.cancel()
        (tmp_path / "gate").touch()
        assert await busy == await pool.call("k", b""), "else it would have been lost over the first of them"


async def test_an_idle_worker_that_somebody_kills_is_replaced():
    async with Pool(COMMAND, size=1, seconds=60) as pool:
        for _ in range(3):  # the worker, then the spare that took its place, then the next
            pid = int(await pool.call("k", b""))
            os.kill(pid, signal.SIGKILL)
            [killed] = [process for process in pool._processes if process.pid == pid]
            await killed.wait()
        assert await pool.call("k", b"")


async def test_workers_that_cannot_start_are_an_error_that_tells_why():
    async with Pool([sys.executable, "-c", "raise SystemExit('no module named apsw')"], size=2, seconds=5) as pool:
        with pytest.raises(RuntimeError, match="no module named apsw"):
            await pool.call("k", b"")
        with pytest.raises(RuntimeError, match="no module named apsw"):
            await pool.call("k", b"")


async def test_a_worker_sees_no_secret(monkeypatch):
    monkeypatch.setenv("API_KEY", "secret")
    show = WORKER.replace("str(os.getpid()).encode()", "repr(dict(os.environ)).encode()")
    async with Pool([sys.executable, "-c", show], size=1, seconds=5) as pool:
        assert b"secret" not in await pool.call("k", b"")


def is_alive(pid: int) -> bool:
    """Is there a process of that number that is not a zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


PARENT = """
import asyncio, json, os, subprocess, sys
from sql_rl.examples import Example
from sql_rl.judge import Judge
from sql_rl.settings import JudgeSettings

async def main():
    async with Judge(JudgeSettings(workers=2, seconds=30, steps=10**12)) as judge:
        ask = Example(row=0, id="0", question="?", context="CREATE TABLE t (a)", gold="SELECT a FROM t")
        await judge.judge(ask, "SELECT a FROM t")
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        hanging = asyncio.create_task(judge.judge(ask, endless))
        await asyncio.sleep(0.5)
        print(json.dumps([process.pid for process in judge._pool._processes]), flush=True)
        await hanging

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_workers_die_with_their_parent(with_signal):
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root, text=True
    )
    workers = json.loads(parent.stdout.readline())
    assert len(workers) >= 2
    assert all(map(is_alive, workers))
    os.kill(parent.pid, with_signal)
    parent.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, workers))


async def test_leaving_the_judge_ends_what_is_under_way():
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    example = Example(row=0, id="0", question="?", context="", gold="SELECT 1")
    async with Judge(JudgeSettings(workers=1, seconds=600, steps=10**12)) as judge:
        hanging = asyncio.create_task(judge.judge(example, endless))
        await asyncio.sleep(1)
    with pytest.raises(asyncio.CancelledError):
        await hanging


def test_who_asks_the_judge_loads_no_database_and_no_parser():
    loaded = "import sys, sql_rl.judge; print(*{'apsw', 'sqlglot', 'torch', 'datasets'} & sys.modules.keys())"
    root = Path(__file__).parents[2]
    assert (
        subprocess.run([sys.executable, "-c", loaded], cwd=root, capture_output=True, text=True, check=True).stdout
        == "\n"
    )
