"""`chat -q`: rows on stdout, all else on stderr, and exit codes for scripts."""

import contextlib
import csv
import io
import json
import signal
import subprocess
import time
from pathlib import Path

import apsw
import pytest
from support import Run

from sql_rl.testing.chat_server import ChatServer, chat_completion

ANSWERS = {
    "All towns?": "SELECT id, name AS town, name AS town FROM town ORDER BY id",
    "Broken?": "SELECT nope FROM town",
    "Late?": "SELECT CAST(abs(id - 9223372036854775807 - 2) AS TEXT) FROM town",
    "For ever?": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "Everything?": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c",
    "Delete?": "DELETE FROM town",
}


@pytest.fixture
def asking(tmp_path: Path, chat_server: ChatServer, run_here: Run):
    db = apsw.Connection(str(tmp_path / "shop.sqlite"))
    db.execute("CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO town VALUES (1, 'Ulm'), (2, NULL)")
    db.close()
    chat_server.answers = ANSWERS

    def asked(question: str, *more: object):
        return run_here("chat", "--base-url", chat_server.url, "--db", "sqlite:///shop.sqlite", "-q", question, *more)

    return asked


def test_a_table_for_people(asking, run: Run, chat_server: ChatServer):
    """Through a pipe, as a process of its own; the other tests save its start."""
    done = run("chat", "--base-url", chat_server.url, "--db", "sqlite:///shop.sqlite", "-q", "All towns?")
    assert (done.returncode, done.stdout.splitlines()[0].split()) == (0, ["id", "town", "town"])
    assert [line.split() for line in done.stdout.splitlines()[2:]] == [["1", "Ulm", "Ulm"], ["2", "NULL", "NULL"]]
    assert "SELECT id, name AS town" in done.stderr and "2 rows" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_csv_and_json_for_programs(asking):
    rows = list(csv.reader(io.StringIO(asking("All towns?", "--format", "csv").stdout)))
    assert rows == [["id", "town", "town"], ["1", "Ulm", "Ulm"], ["2", "", ""]]
    assert json.loads(asking("All towns?", "--format", "JSON").stdout) == [
        {"id": 1, "town": "Ulm", "town_2": "Ulm"},
        {"id": 2, "town": None, "town_2": None},
    ]


def test_the_rows_alone(asking):
    done = asking("Broken?", "--format", "csv", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n1\n", "")


def test_ctrl_c_while_the_query_runs(asking, command, clean_environ, chat_server: ChatServer, tmp_path: Path):
    options = ("--base-url", chat_server.url, "--db", "sqlite:///shop.sqlite", "-q", "For ever?", "--seconds", "60")
    pipe = subprocess.PIPE
    heeding = ["env", "--default-signal=INT"]  # a suite that runs in the background ignores Ctrl-C
    process = subprocess.Popen(
        [*heeding, *command("chat", *options)], cwd=tmp_path, env=clean_environ, stdout=pipe, stderr=pipe, text=True
    )
    said = ""
    while "count(*) FROM c" not in said:  # it is shown, then it runs
        said += (line := process.stderr.readline())
        assert line, said
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    answered, rest = process.communicate(timeout=180)
    assert (process.returncode, answered) == (3, "")
    assert rest.splitlines()[-1] == "error: stopped before there was an answer"


def test_one_line_of_json(asking):
    done = asking("All towns?", "--json", "--max-rows", 1)
    told = json.loads(done.stdout)
    assert told.pop("seconds") >= 0
    assert told == {
        "question": "All towns?",
        "sql": ANSWERS["All towns?"],
        "columns": ["id", "town", "town_2"],
        "rows": [{"id": 1, "town": "Ulm", "town_2": "Ulm"}],
        "more": True,
    }
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert json.loads(asking("Broken?", "--json").stdout)["sql"] == "SELECT 1", "the query that was run"


@pytest.mark.parametrize("form", [["--format", "table"], ["--format", "csv"], ["--format", "json"], ["--json"]])
def test_rows_that_cannot_be_written(asking, chat_server: ChatServer, form: list[str], monkeypatch: pytest.MonkeyPatch):
    chat_server.answers = {"Town?": "SELECT 'Zürich …' AS town"}
    latin = io.TextIOWrapper(io.BytesIO(), "latin-1")
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:  # whose closing fails too
        for out, said in (
            (full, "error: the rows cannot be written: No space left on device"),
            (latin, "error: the rows hold '\\u2026', which latin-1 has not: set PYTHONUTF8=1"),
        ):
            monkeypatch.setattr("sys.stdout", out)
            done = asking("Town?", *form)
            assert (done.returncode, done.stderr.splitlines()[-1]) == (1, said)


def test_a_question_that_is_no_utf_8(asking):
    assert json.loads(asking("caf\udce9?", "--json").stdout)["question"] == "caf??"


def test_more_rows_than_are_shown(asking):
    done = asking("Everything?", "--format", "csv", "--max-rows", 3)
    assert (done.returncode, done.stdout) == (0, "n\n1\n2\n3\n")
    assert "the first 3 rows; there are more" in done.stderr


def test_a_query_that_fails_goes_back_once(asking, chat_server: ChatServer):
    done = asking("Broken?", "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "1\n1\n")  # the server answers SELECT 1 to what it does not know
    assert "no such column: nope; asking once more" in done.stderr
    done = asking("Late?", "--format", "csv")  # compiles, and fails when it runs
    assert (done.returncode, done.stdout) == (0, "1\n1\n")
    assert "integer overflow; asking once more" in done.stderr


@pytest.mark.parametrize(
    ("question", "said"), [("For ever?", "stopped after 0.3 s"), ("Delete?", "not allowed: DELETE")]
)
def test_no_answer_is_exit_code_1(asking, chat_server: ChatServer, question: str, said: str):
    sql = f"<sql>{ANSWERS[question]}</sql>"
    chat_server.respond = lambda body, _: (200, chat_completion(body, sql), {})
    done = asking(question, "--seconds", "0.3")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: ") and said in done.stderr.splitlines()[-1]
    assert len(chat_server.bodies) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--provider", "offline"], "one of openai, groq, huggingface, local"),
        (["--db", "oracle://x:geheim@y"], "oracle://… is not allowed"),
        (["--db", "sqlite:///none.sqlite"], "none.sqlite: no such file"),
        (["-q", " "], "the question is empty"),
        (["--format", "xml"], "one of table, csv, json"),
        (["--max-rows", "0"], "--max-rows: 0 is not allowed"),
        (["--quiet", "--json"], "contradict each other"),
        (["--json", "--format", "csv"], "contradict each other"),
    ],
)
def test_wrong_usage(asking, chat_server: ChatServer, arguments: list[str], said: str):
    done = asking("All towns?", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and "geheim" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not chat_server.bodies


def test_without_a_terminal_a_question_is_needed(run_here: Run, chat_server: ChatServer):
    done = run_here("chat", "--base-url", chat_server.url)
    assert (done.returncode, done.stderr) == (2, 'error: chat needs a terminal; in a script, ask with -q "question"\n')


def test_a_conversation_is_for_a_person(run_here: Run, chat_server: ChatServer):
    for flag in ("--quiet", "--json"):
        done = run_here("chat", "--base-url", chat_server.url, flag)
        assert (done.returncode, done.stderr) == (2, 'error: --quiet and --json go with -q "question"\n')


def test_the_key_is_missing(run_here: Run):
    done = run_here("chat", "-q", "How many?")
    assert done.returncode == 2 and "API_KEY is missing" in done.stderr
