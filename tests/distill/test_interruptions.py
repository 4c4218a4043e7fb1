"""`distill` interrupted: by kill -9, signals, a second run, other settings, a full disk."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import Run, asking, files, parts, row, wait_until, write_rows

from sql_rl.testing.chat_server import ChatServer, chat_completion


def unbroken(run: Run, tmp_path: Path, server: ChatServer, rows: Path, *options: object) -> dict[str, Any]:
    """The files of the same run without an interruption."""
    assert run(*asking(server, rows, *options)).returncode == 0
    wanted = files(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    server.seen.clear()
    server.answered.clear()
    return wanted


def test_kill_9_costs_only_what_is_on_the_wire(run: Run, start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(200)])
    options = ("--validate", "--batch-size", 16)
    wanted = unbroken(run, tmp_path, server, rows, *options)
    server.delay = 0.05
    for answers in (1, 40, 70, 110, 150):
        process = start(*asking(server, rows, *options))
        wait_until(lambda answers=answers: server.answered.total() >= answers)
        process.kill()
        process.wait()
    assert run(*asking(server, rows, *options)).returncode == 0
    assert files(tmp_path / "out") == wanted
    twice = server.answered.total() - len(server.answered)
    assert twice <= 5 * 16, "more was paid twice than was ever in flight"
    assert len(server.answered) == 200


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_loses_nothing(run: Run, start, tmp_path: Path, server: ChatServer, signum: signal.Signals):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])
    wanted = unbroken(run, tmp_path, server, rows)
    server.delay = 0.2
    process = start(*asking(server, rows))
    wait_until(lambda: server.answered.total() >= 20)
    process.send_signal(signum)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 3
    assert said.splitlines()[-1] == f"error: stopped by {signum.name}; the same command carries on"
    kept, _, summary = parts(tmp_path / "out")
    assert len(kept) == server.answered.total(), "every paid answer is in the dataset"
    assert summary["remaining"] == 100 - len(kept) > 0
    assert run(*asking(server, rows)).returncode == 0
    assert files(tmp_path / "out") == wanted
    assert all(n == 1 for n in server.answered.values()), "nothing was paid twice"


def test_a_second_signal_stops_at_once_and_keeps_what_was_finished(start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])

    def respond(body: dict, visit: int) -> tuple[int, Any, dict]:
        return 200, chat_completion(body, "<think>a</think><sql>SELECT 1</sql>"), {}

    server.respond, server.delay = respond, 0.0
    process = start(*asking(server, rows))
    wait_until(lambda: server.answered.total() >= 10)
    server.delay = 60.0
    wait_until(lambda: server.in_flight >= 8)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None, "it waits for what is in flight"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 3
    assert len(parts(tmp_path / "out")[0]) >= 10


def test_a_second_run_of_the_same_folder_is_kept_out(run: Run, start, tmp_path: Path, rows: Path, server: ChatServer):
    server.delay = 60.0
    start(*asking(server, rows))
    wait_until(lambda: server.seen.total() > 0)
    ended = run(*asking(server, rows))
    assert ended.returncode == 75
    assert "another run holds this folder" in ended.stderr


def test_a_finished_run_is_left_alone(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows)).returncode == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*") if p.is_file()}
    ended = run(*asking(server, rows))
    assert ended.returncode == 0
    assert "nothing to do" in ended.stdout
    assert before == {p: p.stat().st_mtime_ns for p in before}
    assert server.seen.total() == 40


def test_more_rows_ask_for_the_new_ones_only(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows, "--limit", 10)).returncode == 0
    assert run(*asking(server, rows, "--limit", 25, "--validate")).returncode == 0
    assert server.seen.total() == 25
    kept, _, _ = parts(tmp_path / "out")
    assert [r["verdict"] for r in kept] == ["match"] * 25


def test_other_settings_are_refused_in_the_same_folder(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows)).returncode == 0
    ended = run(*asking(server, rows, "--model", "other"))
    assert ended.returncode == 2
    assert "model: 'gpt-4.1-nano' there, 'other' now" in ended.stderr
    assert "--output-dir" in ended.stderr


def test_starting_anew_keeps_the_old_journal(run: Run, tmp_path: Path, rows: Path, server: ChatServer):
    assert run(*asking(server, rows)).returncode == 0
    assert run(*asking(server, rows, "--no-resume", "--model", "other")).returncode == 0
    assert server.seen.total() == 80
    assert (tmp_path / "out" / "journal-1.jsonl").exists()
    assert parts(tmp_path / "out")[0][0]["model_name"] == "other"


@pytest.fixture
def private_mounts() -> None:
    """Skips where this user may not mount a file system of its own."""
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces for this user")


def test_a_full_disk_loses_nothing(
    private_mounts: None, command: Callable[..., list[str]], clean_environ, tmp_path: Path, server: ChatServer
):
    """The disk fills up in mid-run; once there is room the same command ends it. No answer is paid twice."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(400)])
    text = "<think>" + "because " * 500 + "</think><sql>SELECT 1</sql>"
    server.respond = lambda body, visit: (200, chat_completion(body, text), {})
    (tmp_path / "disk").mkdir()
    program = " ".join(f"'{part}'" for part in command(*asking(server, rows, "--output-dir", "disk/out")))
    script = f"""
        mount -t tmpfs -o size=1m tmpfs disk
        {program}; echo "code $?" >&2
        mount -o remount,size=64m disk
        {program}; echo "code $?" >&2
        cp -r disk/out saved
    """
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=tmp_path, env=clean_environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert [line for line in ended.stderr.splitlines() if line.startswith("code")] == ["code 1", "code 0"], ended.stderr
    assert "make room" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(parts(tmp_path / "saved")[0]) == 400
    assert server.answered.total() == 400


@pytest.mark.parametrize("place", ["taken", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, rows: Path, place: str):
    (tmp_path / "taken").write_text("a file")
    ended = run("distill", "--provider", "offline", "--dataset-repo-id", rows, "--output-dir", place)
    assert ended.returncode == 2
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
