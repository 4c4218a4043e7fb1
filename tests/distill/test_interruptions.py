"""`distill` interrupted: by kill -9, signals, a second run, other settings, a full disk."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
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
    """Ten times, at random moments: between two answers, and when all are there, while they are judged or written."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(400)])
    options, judged, random = ("--batch-size", 16), "--validate", Random(4)
    wanted = unbroken(run, tmp_path, server, rows, *options, judged)
    server.delay, lost = 0.03, 0
    for answers in [*sorted(random.sample(range(1, 400), 8)), 400, 400]:
        paid, had = server.answered.total(), completions_in(tmp_path / "out")
        process = start(*asking(server, rows, *options, *([judged] if answers == 400 else [])))
        wait_until(lambda answers=answers: len(server.answered) >= answers)
        time.sleep(random.uniform(0, 0.1 if answers < 400 else 2.0))
        process.kill()
        process.wait()
        wait_until(lambda: server.in_flight == 0)
        lost_now = server.answered.total() - paid - (completions_in(tmp_path / "out") - had)
        assert 0 <= lost_now <= 16, "more was lost than was in flight"
        lost += lost_now
    assert run(*asking(server, rows, *options, judged)).returncode == 0
    assert files(tmp_path / "out") == wanted
    assert len(server.answered) == 400
    assert server.answered.total() == 400 + lost, "what was not lost is not paid again"


def completions_in(folder: Path) -> int:
    """Whole lines of the journal that hold an answer."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return sum(line.startswith(b'{"kind":"completion"') for line in lines)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_loses_nothing(run: Run, start, tmp_path: Path, server: ChatServer, signum: signal.Signals):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])
    wanted = unbroken(run, tmp_path, server, rows)
    server.hold_after = 20
    process = start(*asking(server, rows))
    wait_until(lambda: server.held == 8)
    process.send_signal(signum)
    assert any("finishing what is in flight" in line for line in process.stderr)
    server.hold_after = None
    _, said = process.communicate(timeout=180)
    assert process.returncode == 3
    assert said.splitlines()[-1] == f"error: stopped by {signum.name}; the same command carries on"
    kept, _, summary = parts(tmp_path / "out")
    assert len(kept) == server.answered.total() == 28, "every paid answer is in the dataset"
    assert summary["remaining"] == 72
    assert run(*asking(server, rows)).returncode == 0
    assert files(tmp_path / "out") == wanted
    assert all(n == 1 for n in server.answered.values()), "nothing was paid twice"


def test_a_second_signal_stops_at_once_and_keeps_what_was_finished(start, tmp_path: Path, server: ChatServer):
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(100)])

    def respond(body: dict, visit: int) -> tuple[int, Any, dict]:
        return 200, chat_completion(body, "<think>a</think><sql>SELECT 1</sql>"), {}

    server.respond, server.hold_after = respond, 10
    process = start(*asking(server, rows))
    wait_until(lambda: server.held == 8)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None, "it waits for what is in flight"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=180)
    assert process.returncode == 3
    assert len(parts(tmp_path / "out")[0]) == 10


def test_the_grace_is_kept_where_no_answer_comes(start, tmp_path: Path, rows: Path, server: ChatServer):
    server.delay = 3600.0
    process = start(*asking(server, rows), SQL_RL_DISTILL_GRACE="1")
    wait_until(lambda: server.in_flight >= 8)
    process.terminate()
    told = time.monotonic()
    process.communicate(timeout=180)
    assert process.returncode == 3
    assert 1.0 <= time.monotonic() - told < 60.0, "the grace, and the writing of a dataset, on a machine that is busy"


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


def test_a_full_disk_loses_nothing(on_a_small_disk: Callable[..., Path], server: ChatServer):
    """The disk fills up in mid-run; once there is room the same command ends it. No answer is paid twice."""
    saved = on_a_small_disk(1)
    assert len(parts(saved)[0]) == 400
    assert server.answered.total() == 400


@pytest.mark.parametrize("place", ["taken", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, rows: Path, place: str):
    (tmp_path / "taken").write_text("a file")
    ended = run("distill", "--provider", "offline", "--dataset-repo-id", rows, "--output-dir", place)
    assert ended.returncode == 2
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
