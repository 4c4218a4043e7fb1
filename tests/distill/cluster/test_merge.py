"""Workers' journals into the run's: each line once, torn ones later, a living writer waited for."""

import json
import multiprocessing
from pathlib import Path

import pytest

from sql_rl.distill.cluster import merge
from sql_rl.distill.cluster.merge import Intake, locked, take_in_left_over
from sql_rl.distill.journal import Journal
from sql_rl.errors import BusyError, SqlRlError
from sql_rl.runs.drive import Stop

RUN = {"kind": "run", "version": 1, "identity": {}}


def line(n: int) -> dict:
    return {"kind": "completion", "key": f"{n:032x}", "row": n, "text": f"answer {n} é"}


def text(*lines: dict) -> str:
    return "".join(json.dumps(content) + "\n" for content in lines)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.jsonl", {}, 1, lambda: None) as opened:
        yield opened


def test_lines_are_taken_in_as_they_come_and_once(tmp_path: Path, journal: Journal):
    path = tmp_path / "w.jsonl"
    intake = Intake(path)
    assert intake.take_in(journal) == [], "its worker has not begun"
    torn = text(line(2))
    path.write_text(text(RUN, line(1)) + torn[:20], encoding="utf-8")
    assert [new["row"] for new in intake.take_in(journal)] == [1]
    path.write_text(text(RUN, line(1)) + torn + text(line(1), line(3)), encoding="utf-8")
    assert [new["row"] for new in intake.take_in(journal)] == [2, 3]
    assert intake.take_in(journal) == Intake(path).take_in(journal) == []
    assert [found["text"] for found in journal.all("completion")] == ["answer 1 é", "answer 2 é", "answer 3 é"]


async def test_after_a_stop_all_is_left_for_later(tmp_path: Path, journal: Journal):
    path, stop = tmp_path / "w.jsonl", Stop()
    path.write_text(text(RUN, line(1)), encoding="utf-8")
    intake = Intake(path)
    stop.set(SqlRlError("the disk is full"))
    assert intake.take_in(journal, stop) == []
    assert [new["row"] for new in intake.take_in(journal)] == [1]


def test_what_was_left_over_is_taken_in_and_removed(tmp_path: Path, journal: Journal):
    folder = tmp_path / "workers"
    assert take_in_left_over(folder, journal) == 0, "no worker was ever there"
    folder.mkdir()
    for name, lines in {"a": (RUN, line(1), line(2)), "b": (RUN, line(2), line(3))}.items():
        (folder / f"{name}.jsonl").write_text(text(*lines), encoding="utf-8")
        (folder / f"{name}.reserve").write_bytes(bytes(100))
    assert take_in_left_over(folder, journal) == 3
    assert not folder.exists()


def test_a_damaged_line_is_told_with_its_place_and_nothing_is_removed(tmp_path: Path, journal: Journal):
    folder = tmp_path / "workers"
    folder.mkdir()
    (folder / "a.jsonl").write_text(text(RUN, line(1)) + "{]\n" + text(line(2)), encoding="utf-8")
    with pytest.raises(SqlRlError, match=r"a\.jsonl: the line at byte \d+ is damaged; take it out"):
        take_in_left_over(folder, journal)
    assert (folder / "a.jsonl").exists()


def hold(path: Path, held, end) -> None:
    with locked(path):
        held.set()
        end.wait(30)


def test_a_worker_that_still_writes_is_waited_for(tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "workers" / "a.jsonl"
    path.parent.mkdir()
    path.write_text(text(RUN, line(1)))
    spawn = multiprocessing.get_context("spawn")
    held, end = spawn.Event(), spawn.Event()
    process = spawn.Process(target=hold, args=(path, held, end))
    process.start()
    try:
        assert held.wait(30)
        monkeypatch.setattr(merge, "ORPHANS_END", 0.3)
        with pytest.raises(BusyError, match="a worker of an earlier run still writes to it"):
            take_in_left_over(path.parent, journal)
        process.kill()
        monkeypatch.setattr(merge, "ORPHANS_END", 10.0)
        assert take_in_left_over(path.parent, journal) == 1
    finally:
        process.kill()
        process.join()
