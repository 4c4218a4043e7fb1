"""`distill --use-ray` on a real cluster of this machine: two workers, killed, interrupted and out of money.

One cluster (conftest.py) serves all tests but the last, which lets the program start its own.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import Run, asking, check_whole, files, parts, row, wait_until, write_rows

from sql_rl.configure import Secrets, load
from sql_rl.distill.cluster import hired
from sql_rl.distill.cluster.hired import Hired
from sql_rl.distill.run import distill
from sql_rl.settings import Settings
from sql_rl.testing.chat_server import ChatServer, Faults

pytest.importorskip("ray")
pytestmark = pytest.mark.xdist_group("ray")  # In one process, so that what they share is made once.

ROOT = Path(__file__).parents[3]
TWO = ("--use-ray", "--ray-workers", 2)


@pytest.fixture
def clean_environ(clean_environ: dict[str, str], cluster: str) -> dict[str, str]:
    return clean_environ | {"RAY_ADDRESS": cluster}


def workers(folder: Path) -> list[psutil.Process]:
    """The processes that hold a worker's journal of this run open."""
    names = {str(path) for path in (folder / "workers").glob("*.jsonl")}

    def holds(process: psutil.Process) -> bool:
        try:
            return any(file.path in names for file in process.open_files())
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if holds(process)]


def same_as(wanted: dict[str, Any], folder: Path) -> bool:
    """Are these the files of `wanted`, but for the settings in them?"""

    def plain(left: dict[str, Any]) -> dict[str, Any]:
        summary = {name: value for name, value in left["summary"].items() if name != "settings"}
        return {"kept": left["kept"], "rejected": left["rejected"], "summary": summary}

    return plain(files(folder)) == plain(wanted)


def unbroken(run: Run, tmp_path: Path, server: ChatServer, rows: Path, *options: object) -> dict[str, Any]:
    """The files of the same run in one process; the server forgets it."""
    ended = run(*asking(server, rows, *options))
    assert ended.returncode == 0, ended.stderr
    wanted = files(tmp_path / "out") | {"parquet": data_of(tmp_path / "out")}
    shutil.rmtree(tmp_path / "out")
    server.seen.clear()
    server.answered.clear()
    return wanted


def data_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "data").glob("*.parquet")}


def test_the_result_is_that_of_a_run_without_ray(run: Run, tmp_path: Path, server: ChatServer):
    """Faults, twins in the source and repairs included; whatever has an answer was asked once."""
    server.faults = Faults(error_400=0.03, error_500=0.05, reset=0.03, torn=0.02, empty=0.03)
    source = [row(i) for i in range(150)]
    rows = write_rows(tmp_path / "rows.jsonl", [*source[:140], *source[5:25], *source[140:]])
    options = ("--validate", "--batch-size", 16, "--retries", 1)
    wanted = unbroken(run, tmp_path, server, rows, *options)
    ended = run(*asking(server, rows, *options, *TWO))
    assert ended.returncode == 0, ended.stderr
    assert same_as(wanted, tmp_path / "out")
    assert data_of(tmp_path / "out") == wanted["parquet"], "byte for byte"
    assert not (tmp_path / "out" / "workers").exists()
    assert without_progress(ended.stderr) == []
    assert max(server.answered[question] for question in map(prompt_of, server.bodies)) <= 2, "asked, and one repair"
    again = run(*asking(server, rows, *options, *TWO))
    assert again.returncode == 0
    assert "nothing to do" in again.stdout


def without_progress(said: str) -> list[str]:
    """Where the machine is slow, how far the run is comes between the lines."""
    return [line for line in said.splitlines() if not line.startswith("distill: ")]


def prompt_of(body: dict[str, Any]) -> str:
    return body["messages"][-1]["content"]


def test_a_worker_that_is_killed_costs_what_it_had_on_the_wire(start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    server.hold_after = 60
    process = start(*asking(server, rows, "--batch-size", 16, "--json", *TWO))
    wait_until(lambda: server.held == 16)
    killed, *others = workers(tmp_path / "out")
    assert len(others) == 1
    killed.kill()
    server.hold_after = None
    told, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert json.loads(told)["accepted"] == 200, "of what Ray says of it, nothing is on stdout"
    assert "was lost" in said
    check_whole(tmp_path / "out", 200)
    assert server.answered.total() - 200 <= 8, "at most what one worker had on the wire was paid twice"


def test_a_worker_that_falls_silent_is_lost(
    cluster: str, tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch, capsys
):
    """It is stopped, not killed: only its silence tells. The test waits five seconds for it instead of sixty."""
    monkeypatch.setattr(hired, "SILENT", 5.0)
    settings, secrets = in_this_process(cluster, tmp_path, server, monkeypatch)
    server.hold_after = 30

    def stop_one() -> None:
        wait_until(lambda: server.held == 8)
        workers(tmp_path / "out")[0].suspend()
        server.hold_after = None

    with ThreadPoolExecutor(1) as thread:
        stopping = thread.submit(stop_one)
        distill(settings, secrets)
        stopping.result()
    check_whole(tmp_path / "out", 100)
    assert "nothing was heard of it for 5 s" in capsys.readouterr().err


def in_this_process(
    cluster: str, tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> tuple[Settings, Secrets]:
    """The settings of a run over a hundred rows with two workers, for tests that change its driver."""
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    monkeypatch.setenv("API_KEY", "k")
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])
    flags = {"dataset_repo_id": str(rows), "limit": 100, "output_dir": str(tmp_path / "out"), "use_ray": True}
    return load({"base_url": server.url, **{f"distill.{k}": v for k, v in {**flags, "ray_workers": 2}.items()}})


def test_a_worker_for_which_there_is_never_room_is_not_waited_for(
    cluster: str, tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
):
    """As where somebody else's job takes what the cluster has. The first one does it all."""
    waited, placed = [], Hired.is_placed

    async def is_placed(self: Hired, within: float) -> bool:
        if self.name.endswith("-0"):
            return await placed(self, within)
        waited.append(within)
        assert sum(waited) < 120, "all rows are settled, and it still waits"
        await asyncio.sleep(within)
        return False

    monkeypatch.setattr(Hired, "is_placed", is_placed)
    distill(*in_this_process(cluster, tmp_path, server, monkeypatch))
    check_whole(tmp_path / "out", 100)
    assert waited


def test_a_signal_drains_all_workers(run: Run, start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    server.hold_after = 30
    process = start(*asking(server, rows, *TWO))
    wait_until(lambda: server.held == 8)
    process.send_signal(signal.SIGTERM)
    time.sleep(4.0)  # longer than Ray's own handler of SIGTERM would let the program live
    server.hold_after = None
    _, said = process.communicate(timeout=180)
    assert process.returncode == 3, said
    assert without_progress(said) == [
        "SIGTERM: finishing what is in flight; once more stops at once",
        "error: stopped by SIGTERM; the same command carries on",
    ]
    kept, _, summary = parts(tmp_path / "out")
    assert len(kept) == server.answered.total(), "every paid answer is in the dataset"
    assert summary["remaining"] == 200 - len(kept) > 0
    server.delay = 0.0
    assert run(*asking(server, rows)).returncode == 0, "here without Ray"
    check_whole(tmp_path / "out", 200)
    assert server.answered.total() == 200, "nothing was paid twice"


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_under_uv_run_workers_have_the_environment_that_is_there(
    tmp_path: Path, rows: Path, clean_environ: dict[str, str]
):
    """Ray itself would pack the working directory, and make another one with uv on each node."""
    uv = ("uv", "run", "--no-sync", "--project", str(ROOT), "python", str(ROOT / "main.py"))
    options = ("--provider", "offline", "--dataset-repo-id", rows, "--output-dir", "out", *TWO)
    asked = [*uv, "distill", *map(str, options)]
    ended = subprocess.run(
        asked, cwd=tmp_path, env=clean_environ, capture_output=True, text=True, timeout=180, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert len(parts(tmp_path / "out")[0]) == 40


def test_the_cap_is_shared_out_and_never_passed(run: Run, tmp_path: Path, server: ChatServer):
    prices = tmp_path / "prices.yaml"
    prices.write_text("models:\n  m: {input: 0, cached: 0, output: 1000}\n")  # a tenth of a cent a token
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    money = ("--model", "m", "--prices", prices, "--max-cost", 1.5)
    (tmp_path / "config.yaml").write_text("max_tokens: 100\n")  # ten cents a request at most
    server.delay = 0.05
    ended = run(*asking(server, rows, *money, *TWO))
    assert ended.returncode == 3, ended.stderr
    assert "--max-cost $1.5" in ended.stderr
    _, _, summary = parts(tmp_path / "out")
    assert summary["requests"] == server.answered.total()
    assert 1.5 - 0.1 < summary["cost_usd"] <= 1.5, "all of it, but for what one request could cost"


def test_the_target_ends_the_run_with_the_same_rows(run: Run, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(400)])
    options = ("--target-accepted", 60, "--validate")
    wanted = unbroken(run, tmp_path, server, rows, *options)
    server.delay = 0.05
    ended = run(*asking(server, rows, *options, *TWO))
    assert ended.returncode == 0, ended.stderr
    assert same_as(wanted, tmp_path / "out")
    assert 60 <= server.answered.total() <= 60 + 3 * 8 + 8, "no more on top than is under way at once"


def test_a_refused_key_ends_the_run_with_its_code(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    server.api_key = "right"
    ended = run(*asking(server, rows, *TWO), API_KEY="s3cret-key")
    assert ended.returncode == 4, ended.stderr
    assert "s3cret-key" not in ended.stderr
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert left == []


def test_no_cluster_at_the_address(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    begin = time.monotonic()
    ended = run(*asking(server, rows, "--use-ray"), RAY_ADDRESS="127.0.0.1:1")
    assert (ended.returncode, server.seen.total()) == (1, 0)
    assert "no cluster answers at RAY_ADDRESS=127.0.0.1:1 (" in ended.stderr.splitlines()[-1]
    assert time.monotonic() - begin < 60
    ended = run(*asking(server, rows, "--use-ray"), RAY_ADDRESS="ray://127.0.0.1:10001")
    assert ended.returncode == 2
    assert "ray job submit" in ended.stderr


def test_kill_9_of_the_driver_and_its_own_cluster(
    run: Run, start, tmp_path: Path, server: ChatServer, clean_environ: dict[str, str]
):
    """The cluster that the program started ends with it, and a run without Ray carries on: nothing is paid twice."""
    del clean_environ["RAY_ADDRESS"]
    clean_environ["HOME"] = str(tmp_path)  # there Ray keeps the token of a cluster that it starts
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    server.hold_after = 60
    process = start(*asking(server, rows, "--batch-size", 16, *TWO))
    wait_until(lambda: server.held == 16, seconds=180)  # a cluster starts first
    at_work = workers(tmp_path / "out")
    assert len(at_work) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    server.hold_after = None
    ended = run(*asking(server, rows, "--batch-size", 16))
    assert ended.returncode == 0, ended.stderr
    check_whole(tmp_path / "out", 200)
    assert server.answered.total() - 200 <= 16, "at most what was on the wire was paid twice"
    assert not (tmp_path / "out" / "workers").exists()
    assert psutil.wait_procs(at_work, timeout=40)[1] == [], "no worker outlives its driver"
