"""The display without a terminal: a line now and then, plain or JSON, with an injected clock."""

import io
import json
import re

import pytest

from sql_rl.distill.counters import Counters
from sql_rl.terminal.progress import HEARTBEAT, RECENT, Count, Display, share


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def display(log_format: str) -> tuple[Display, Counters, Clock, io.StringIO]:
    clock, counters, stream = Clock(), Counters(price=None), io.StringIO()
    return Display("distill", 400, counters, stream, log_format=log_format, clock=clock), counters, clock, stream


def advance(counters: Counters) -> None:
    counters.rows, counters.accepted, counters.prompt_tokens = 100, 90, 12_345


def test_plain_lines_come_every_thirty_seconds():
    shown, counters, clock, stream = display("plain")
    with shown:
        advance(counters)
        for second in range(1, 70):
            clock.now = float(second)
            shown.update()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 69 // HEARTBEAT
    assert lines[0] == "distill: 100/400 rows, 90.0 % accepted, 3.3 rows/s, 12,345 tokens, ETA 0:01:30"


def test_an_eta_forgets_what_an_earlier_start_had_done():
    shown, counters, clock, stream = display("plain")
    counters.rows = counters.accepted = 200  # of 400: read from the journal in the first second
    for beat in range(1, RECENT + 3):
        clock.now = beat * HEARTBEAT
        shown.update()
        counters.rows += 10
    assert stream.getvalue().splitlines()[0].endswith("ETA 0:00:30")
    assert stream.getvalue().splitlines()[-1].startswith("distill: 250/400 rows")
    assert stream.getvalue().splitlines()[-1].endswith("ETA 0:07:30"), "150 rows, 10 in half a minute"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "status"), [(80, "90.0 % accepted, 0.3 rows/s, $12"), (160, "98,765,432 tokens")])
def test_a_narrow_terminal_cuts_neither_the_counts_nor_the_eta(monkeypatch, columns: int, status: str):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    clock, counters, stream = Clock(), Counters(price=None), Terminal()
    with Display("distill", 100_000, counters, stream, clock=clock) as shown:
        counters.rows, counters.accepted = 12_345, 11_110
        counters.prompt_tokens, counters.cost_usd = 98_765_432, 12.3456
        clock.now = 40_000.0
        shown.update()
    line = re.split(r"[\r\n]|\x1b\[\S*?[A-Za-z]", stream.getvalue().rstrip())
    (last,) = [part for part in line if "12345" in part][-1:]
    assert len(last) <= columns
    assert re.search(r"^distill .*12345/100000 .*ETA [\d-]+:\S\S:\S\S", last)
    assert status in last


def test_json_lines_hold_all_counters():
    shown, counters, clock, stream = display("json")
    advance(counters)
    clock.now = HEARTBEAT
    shown.update()
    content = json.loads(stream.getvalue())
    assert (content["rows"], content["total"], content["accepted"], content["rejected"]) == (100, 400, 90, 10)
    assert content["seconds"] == HEARTBEAT
    assert content["time"]


def test_nothing_done_yet():
    shown, _, clock, stream = display("plain")
    clock.now = HEARTBEAT
    shown.update()
    assert stream.getvalue() == "distill: 0/400 rows, 0 % accepted, 0.0 rows/s, ETA unknown\n"


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [(0, 30.0, "0.0 a second"), (1, 30.0, "30.0 s each"), (2, 327.0, "163.5 s each"), (30, 30.0, "1.0 a second"),
     (75, 30.0, "2.5 a second"), (5, 0.0, "5000000000.0 a second")],
)  # fmt: skip
def test_a_slow_count_is_told_by_what_each_takes(done: int, seconds: float, said: str):
    assert Count(done).status(seconds) == said


def test_share():
    assert [share(1, 3), share(3, 3), share(0, 0)] == ["33.3 %", "100.0 %", "0 %"]
