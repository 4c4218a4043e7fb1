"""What a command says at its end: to a pipe, a machine, a terminal, or not at all."""

import io
import json

import pytest

from sql_rl.errors import UsageError
from sql_rl.terminal.manner import manner_of
from sql_rl.terminal.summary import Line, Summary, show

SUMMARY = Summary(
    "outputs/x: finished",
    {"rows": 100, "name": "größer"},
    [Line("rows", "100"), Line("accepted", "98", "98.0 %", "green"), Line("rejected", "2", "x" * 200)],
    ["3 requests, $0.1"],
    "uv run main.py train " + "y" * 200,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(manner: str, stream: io.StringIO) -> str:
    show(SUMMARY, manner, stream)
    return stream.getvalue()


def test_a_pipe_gets_aligned_lines_without_colour_or_folding():
    lines = said("person", io.StringIO()).splitlines()
    assert lines == [
        "outputs/x: finished",
        "  rows      100",
        "  accepted   98  98.0 %",
        "  rejected    2  " + "x" * 200,
        "  3 requests, $0.1",
        "next: uv run main.py train " + "y" * 200,
    ]


def test_a_terminal_gets_colour(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m 98\x1b[0m" in said("person", Terminal())


def test_a_machine_gets_one_line_of_json():
    text = said("json", io.StringIO())
    assert text.count("\n") == 1
    assert json.loads(text) == SUMMARY.content


def test_quiet_is_nothing():
    assert said("quiet", io.StringIO()) == ""


@pytest.mark.parametrize(
    ("quiet", "as_json", "manner"), [(False, False, "person"), (True, False, "quiet"), (False, True, "json")]
)
def test_the_manner_of_the_flags(quiet, as_json, manner):
    assert manner_of(quiet, as_json) == manner


def test_both_flags_contradict():
    with pytest.raises(UsageError, match="--quiet and --json"):
        manner_of(True, True)
