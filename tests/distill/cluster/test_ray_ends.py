"""`distill --use-ray` that ends early, and what it hands on: signals, failing answers, a full disk, the Hub."""

import io
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support import Run, asking, check_whole, parts, row, wait_until, write_rows

from sql_rl.testing.chat_server import ChatServer, Faults, chat_completion
from sql_rl.testing.hub_server import HubServer

pytest.importorskip("ray")
pytestmark = pytest.mark.xdist_group("ray")  # beside test_ray.py, whose cluster serves here too

TWO = ("--use-ray", "--ray-workers", 2)


@pytest.fixture
def clean_environ(clean_environ: dict[str, str], cluster: str) -> dict[str, str]:
    return clean_environ | {"RAY_ADDRESS": cluster}


def question_in(body: dict[str, Any]) -> str:
    return body["messages"][-1]["content"].rpartition("Question: ")[2].strip()


def test_a_second_signal_waits_for_nothing(run: Run, start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])
    server.faults = Faults(stall=0.3)  # of the answers would take an hour
    process = start(*asking(server, rows, *TWO, "--grace", 600))
    wait_until(lambda: sum(server.faults.of(asked) == "stall" for asked in list(server.seen)) == 8, seconds=180)
    process.send_signal(signal.SIGINT)
    assert any("once more stops at once" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 3, said
    assert said.splitlines()[-1] == "error: stopped by SIGINT; the same command carries on"
    assert len(parts(tmp_path / "out")[0]) == server.answered.total(), "every paid answer is in the dataset"
    assert not (tmp_path / "out" / "workers").exists()
    server.faults = Faults()
    assert run(*asking(server, rows)).returncode == 0, "here without Ray"
    check_whole(tmp_path / "out", 100)
    assert server.answered.total() == 100, "nothing was paid twice"


def test_rows_without_an_answer_are_told_and_asked_for_again(run: Run, tmp_path: Path, server: ChatServer):
    """Others are throttled, and asked again at once: what is due then is no timer on Ray's loop."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(60)])
    deaf = {row(i)["sql_prompt"] for i in (7, 40)}
    busy = {row(i)["sql_prompt"] for i in range(0, 60, 5)} - deaf

    def respond(body: dict[str, Any], visit: int) -> tuple[int, Any, dict[str, str]]:
        question = question_in(body)
        if question in deaf:
            return 500, {"error": {"message": "not today"}}, {"Retry-After": "0"}
        if question in busy and visit == 1:
            return 429, {"error": {"message": "not now"}}, {"Retry-After": "0"}
        return 200, chat_completion(body, f"<sql>{server.answers[question]}</sql>"), {}

    server.respond = respond
    ended = run(*asking(server, rows, *TWO))
    assert ended.returncode == 3, ended.stderr
    assert "2 of 60 rows got no answer (first: row " in ended.stderr
    assert "not today (8 tries)" in ended.stderr
    kept, _, summary = parts(tmp_path / "out")
    assert (len(kept), summary["status"], summary["remaining"]) == (58, "stopped", 2)
    deaf.clear()
    assert run(*asking(server, rows)).returncode == 0, "here without Ray"
    check_whole(tmp_path / "out", 60)
    assert server.answered.total() == 60, "nothing was paid twice"


def test_published_while_the_workers_are_at_work(
    run: Run, hub: HubServer, hub_environ: dict[str, str], tmp_path: Path, server: ChatServer
):
    """The last rows, which a worker gets when two of the others' shards have ended, wait for the Hub."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(384)])

    def respond(body: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
        question = question_in(body)
        if question == row(380)["sql_prompt"]:
            wait_until(lambda: len(hub.repo("me/rows").commits) > 1)
        return 200, chat_completion(body, f"<sql>{server.answers[question]}</sql>"), {}

    server.respond = respond
    options = ("--publish", "--publish-repo-id", "rows", *TWO)
    ended = run(*asking(server, rows, *options), **hub_environ, SQL_RL_DISTILL_SHARD_ROWS="96")
    assert ended.returncode == 0, ended.stderr
    assert f"published: {hub.url}/datasets/me/rows" in ended.stdout
    first, *_, last = hub.repo("me/rows").commits[1:]
    assert json.loads(first.files["run.json"])["status"] == "running"
    assert pq.read_table(io.BytesIO(first.files["data/train-00000.parquet"]))["id"].to_pylist() == list(range(96))
    check_whole(tmp_path / "out", 384)
    shards = [path for path in last.files if path.endswith(".parquet")]
    assert sorted(shards) == [*(f"data/train-{i:05d}.parquet" for i in range(4)), "rejected/train-00000.parquet"]
    assert all(last.files[path] == (tmp_path / "out" / path).read_bytes() for path in shards)
    assert len(set(hub.uploads)) == len(hub.uploads), "nothing was sent twice"


def test_a_full_disk_loses_nothing(
    on_a_small_disk: Callable[..., Path], clean_environ: dict[str, str], server: ChatServer
):
    """On a cluster that the program starts, whose workers see the disk that fills up. No answer is paid twice."""
    del clean_environ["RAY_ADDRESS"]
    saved = on_a_small_disk(2, *TWO)
    assert len(parts(saved)[0]) == 400
    assert server.answered.total() == 400
    assert not (saved / "workers").exists()
