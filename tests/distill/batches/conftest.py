"""Fixtures: a server of batches and the runs over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_bench import Bench, Clock

from sql_rl.testing.batch_server import BatchServer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = Clock()
    server = BatchServer(answers={f"q{row}": f"SELECT {row}" for row in range(100)}, clock=clock)
    with server.running():
        yield Bench(server, tmp_path / "journal.jsonl", clock)
