"""A program that asks by the batch (tests/batch_bench.py) is killed at every call, and carries on."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import batch_bench
import pytest
from batch_bench import Bench, until

from sql_rl.testing.batch_server import Fate


@pytest.fixture
def program(bench: Bench, clean_environ: dict[str, str]) -> Callable[[], subprocess.Popen[str]]:
    """Starts a run of 12 requests in a process of its own; no pause takes longer than 20 ms."""
    bench.server.clock = time.time
    command, pipe = [sys.executable, batch_bench.__file__, bench.server.url, str(bench.path)], subprocess.PIPE
    root = Path(batch_bench.__file__).parents[1]
    return lambda: subprocess.Popen(command, env=clean_environ, stdout=pipe, stderr=pipe, text=True, cwd=root)


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
        told, problems = carried_on.communicate(timeout=180)
    assert carried_on.returncode == 0, problems
    assert sum(f"SELECT {row} " in line for row, line in enumerate(told.splitlines())) == 12
    assert (bench.server.answered.total(), bench.server.answered_twice) == (12, 0)


async def test_sigterm_says_when_to_come_back(bench: Bench, program: Callable[[], Any]):
    bench.server.fates = [Fate(seconds=3.0)]
    with program() as stopped:
        await until(lambda: bench.server.calls["retrieve"])
        stopped.send_signal(signal.SIGTERM)
        _, problems = stopped.communicate(timeout=180)
    assert stopped.returncode == 3
    assert (
        "still at the provider: 12 requests in 1 batch; the same command harvests what has ended, and by 2" in problems
    )
    assert "sk-secret" not in problems
    with program() as carried_on:
        assert carried_on.communicate(timeout=180)[0].count("SELECT") == 12
    assert (len(bench.server.batches), bench.server.answered_twice) == (1, 0)
