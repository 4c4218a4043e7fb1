"""Fixtures: a cluster of this machine; and without one, a run of the offline teacher over a few rows, its journal."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import row, write_rows

from sql_rl.configure import Secrets, load
from sql_rl.distill.journal import Journal
from sql_rl.distill.plan import Plan, plan, rows_of
from sql_rl.sources import Source

CLUSTER = """
import sys
import ray
ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a cluster of two CPUs."""
    pipe, environ = subprocess.PIPE, {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # else the project is packed for workers that this driver never has
    command = [sys.executable, "-c", CLUSTER]
    with subprocess.Popen(command, env=os.environ | environ, stdin=pipe, stdout=pipe, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., tuple[Plan, Source]]:
    """A run over these rows (twelve good ones), with keyword arguments as settings of its `distill` section."""

    def make(rows: list[dict[str, Any]] | None = None, **options: Any) -> tuple[Plan, Source]:
        path = write_rows(tmp_path / "rows.jsonl", rows or [row(i) for i in range(12)])
        flags = {"provider": "offline", "dataset_repo_id": str(path), "output_dir": str(tmp_path / "out")} | options
        settings, _ = load({f"distill.{name}": value for name, value in flags.items()}, folder=tmp_path)
        run = plan(settings)
        run.folder.workers.mkdir(parents=True, exist_ok=True)
        return run, rows_of(settings, Secrets())

    return make


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "run.jsonl", {}, 1, lambda: None) as opened:
        yield opened
