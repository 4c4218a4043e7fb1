"""The program itself on a pseudo-terminal: questions, commands, Ctrl-C, history, and a terminal without colour."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pexpect
import pytest

from sql_rl.testing.chat_server import ChatServer

ASK, CONFIRM = "ask>", "Enter runs it>"
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
ANSWERS = {
    "How many?": "SELECT count(*) AS number FROM town",
    "All?": "SELECT * FROM town",
    "For ever?": ENDLESS,
    "Late?": "SELECT CAST(abs(id - 9223372036854775807 - 2) AS TEXT) FROM town",
}
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()=>][A-Z0-9]?|\r|\x08")


class Chat:
    """The program on its pseudo-terminal, seen without the escapes. seen: all that it has written, raw."""

    def __init__(self, process: pexpect.spawn) -> None:
        self.process, self.raw, self._read = process, "", 0

    def type(self, line: str) -> None:
        self.process.send(line + "\r")

    def until(self, *texts: str) -> str:
        """What it writes up to and with these texts, one after another."""
        start = self._read
        for text in texts:
            while (found := self.text.find(text, self._read)) < 0:
                self._grow(text)
            self._read = found + len(text)
        return self.text[start : self._read]

    def interrupt_until(self, *texts: str) -> str:
        """Like `until`, with Ctrl-C pressed as often as it takes: the line editor may still be putting itself away."""
        while self.text.find(texts[0], self._read) < 0:
            self.process.sendintr()
            with suppress(pexpect.TIMEOUT):
                while self.text.find(texts[0], self._read) < 0:
                    self.raw += self.process.read_nonblocking(65_536, timeout=1)
        return self.until(*texts)

    def leave(self, keys: str) -> None:
        """Types the keys that end it, and waits for its end."""
        self.process.send(keys)
        with suppress(pexpect.EOF):
            while True:
                self.raw += self.process.read_nonblocking(65_536, timeout=120)
        self.process.wait()
        assert self.process.exitstatus == 0, self.text[-600:]

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.raw)

    def _grow(self, wanted: str) -> None:
        try:
            self.raw += self.process.read_nonblocking(65_536, timeout=120)
        except (pexpect.TIMEOUT, pexpect.EOF):
            pytest.fail(f"{wanted!r} does not come after: {self.text[-600:]}")


@pytest.fixture
def start(
    tmp_path: Path, clean_environ: dict[str, str], command: Callable[..., list[str]], chat_server: ChatServer
) -> Iterator[Callable[..., Chat]]:
    """Starts the program; keyword arguments are environment variables."""
    processes: list[pexpect.spawn] = []
    db = apsw.Connection(str(tmp_path / "shop.sqlite"))
    db.execute(
        "CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO town VALUES (1, 'Ulm'), (2, NULL), (3, 'a' || char(27) || '[31mb')"
    )
    db.close()
    chat_server.answers = ANSWERS

    def started(*more: object, **environ: str) -> Chat:
        _, *arguments = command("chat", "--base-url", chat_server.url, *more)
        environ = clean_environ | {"HOME": str(tmp_path), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"} | environ
        environ = {name: value for name, value in environ.items() if name not in ("XDG_STATE_HOME",)}
        process = pexpect.spawn(
            sys.executable, arguments, cwd=tmp_path, env=environ, encoding="utf-8", dimensions=(50, 100), timeout=120
        )
        processes.append(process)
        return Chat(process)

    yield started
    for process in processes:
        process.close(force=True)


SHOP = ("--db", "sqlite:///shop.sqlite")


def test_a_conversation(start: Callable[..., Chat], tmp_path: Path):
    chat = start(*SHOP)
    assert "sqlite:///shop.sqlite: 1 table. Model: gpt-4.1-nano" in chat.until("/help lists the commands", ASK)

    chat.type("How many?")
    shown = chat.until("SELECT count(*) AS number FROM town", CONFIRM)
    assert "I answer: How many?" in shown and "<sql>" not in shown
    chat.type("")
    assert "3" in chat.until("1 row,")

    chat.type("/sql select * from town")
    shown = chat.until("3 rows,")
    assert "NULL" in shown and "a\\x1b[31mb" in shown
    chat.type("/export out.csv")
    chat.until("3 rows written to out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
    chat.type("/explain")
    chat.until("SCAN town")
    chat.type("/tables")
    chat.until("town: id, name")
    chat.type("/schema town")
    chat.until("CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);")
    chat.type("/retri")
    chat.until("/retri: no such command; did you mean /retry?")
    chat.type("/export /proc/none/x.csv")
    chat.until("cannot be written")
    chat.type("/sql delete from town")
    chat.until("not allowed: DELETE town")
    chat.type("/load x.csv")
    chat.until("start without --db")

    chat.type("All?")
    chat.until(CONFIRM)
    chat.type("/retry Only Ulm")
    chat.until("SELECT 1", CONFIRM)
    chat.type("/run")
    chat.until("1 row,")
    chat.type("/last")
    chat.until("All?", "SELECT 1", "1 row,")
    chat.type("/help")
    chat.until("/export FILE.csv", "/exit")
    chat.leave("/exit\r")


def test_keys_that_are_no_utf_8(start: Callable[..., Chat], chat_server: ChatServer):
    chat = start(*SHOP)
    chat.until(ASK)
    os.write(chat.process.child_fd, b"caf\xe9?\r")
    chat.until(CONFIRM)
    assert chat_server.bodies[0]["messages"][1]["content"].rstrip().endswith("caf??")
    chat.leave("/exit\r")


def test_a_terminal_that_lacks_a_character(start: Callable[..., Chat]):
    chat = start(*SHOP, PYTHONIOENCODING="latin-1")
    chat.until(ASK)
    chat.type("/sql select 'a' || char(8230)")
    chat.until("a?", "1 row,", ASK)


def test_ctrl_c_stops_the_answer_and_the_query_but_not_the_program(start: Callable[..., Chat], chat_server: ChatServer):
    chat = start(*SHOP)
    chat.until(ASK)
    chat_server.pace = 0.2
    chat.type("How many?")
    chat.until("I answ")
    chat.interrupt_until("stopped", ASK)
    chat_server.pace = 0.0
    chat.type("For ever?")
    chat.until(CONFIRM)
    chat.type("")
    chat.interrupt_until("stopped", ASK)
    chat.type("How many?")
    chat.until(CONFIRM)
    chat.type("")
    chat.until("1 row,", ASK)
    chat.leave("\x04")  # Ctrl-D


def test_yes_runs_at_once_and_a_failure_goes_back_to_the_model(start: Callable[..., Chat]):
    chat = start(*SHOP, "--yes")
    chat.until(ASK)
    chat.type("Late?")
    chat.until("abs(id", "integer overflow; asking once more", "SELECT 1", "1 row,", ASK)


def test_files_are_loaded_into_memory(start: Callable[..., Chat], tmp_path: Path):
    (tmp_path / "town.csv").write_text("id,name\n1,Ulm\n2,Bonn\n")
    chat = start()
    assert "an empty database in memory: 0 tables" in chat.until("/help lists the commands", ASK)
    chat.type("How many?")
    chat.until("there are no tables: /load a file, or start with --db")
    chat.type("/load town.csv")
    chat.until("town.csv: town, 2 rows of 2 columns")
    chat.type("How many?")
    chat.until(CONFIRM)
    chat.type("")
    chat.until("1 row,")


def test_history_is_kept_for_the_user_alone(start: Callable[..., Chat], tmp_path: Path):
    chat = start(*SHOP)
    chat.until(ASK)
    chat.type("/tables")
    chat.until("town: id, name", ASK)
    chat.leave("/exit\r")
    file = tmp_path / ".local/state/sql-rl/chat_history"
    assert "+/tables" in file.read_text() and file.stat().st_mode & 0o077 == 0
    again = start(*SHOP)
    again.until(ASK)
    again.type("/history")
    again.until("/tables\n", "/exit\n", "/history\n")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_terminal_without_colour(start: Callable[..., Chat], environ: dict[str, str]):
    chat = start(*SHOP, **environ)
    chat.until(ASK)
    chat.type("How many?")
    chat.until(CONFIRM)
    chat.type("")
    chat.until("1 row,")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7][0-9;]*m", chat.raw)


def test_colours_where_there_are_some(start: Callable[..., Chat]):
    chat = start(*SHOP, NO_COLOR="")
    chat.until(ASK)
    chat.type("How many?")
    chat.until(CONFIRM)
    assert re.search(r"\x1b\[[0-9;]*[39][0-7][0-9;]*mSELECT", chat.raw)
