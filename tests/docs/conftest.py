"""A small world in which the lines of the documentation run as they are written.

Each page gets a folder like a fresh clone, a provider and a Hub on loopback, and the files that its lines name. What a
line would do at length is cut short by settings in the environment, which flags on the line win over.
"""

import io
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pexpect
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from doc_pages import ROOT, blocks
from small_benchmark import DATABASES, GOLDS, write_database, write_lines, write_questions
from support import write_rows

from sql_rl.prompts import completion
from sql_rl.testing.batch_server import BatchServer
from sql_rl.testing.chat_server import ChatServer
from sql_rl.testing.hub_server import HubServer
from sql_rl.testing.hub_store import Repo
from sql_rl.testing.serving import answers_in

SAMPLE = ROOT / "sql_rl" / "sample.jsonl"
ANSWERS = answers_in(str(SAMPLE))
SHOP = "CREATE TABLE orders (month TEXT, revenue REAL); INSERT INTO orders VALUES ('2024-01', 10.5), ('2024-02', 7.0);"
SHORT = {"SQL_RL_REPORT": "false", "SQL_RL_JUDGE_VARIANTS": "1"}


@dataclass(slots=True)
class World:
    """folder: where the lines run. renamed: what stands for the addresses that a line names."""

    folder: Path
    environ: dict[str, str]
    renamed: dict[str, str]
    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs one line as a reader would: `chat` is left with Ctrl-D; what ends with & goes on until the page ends."""
        for written, here in self.renamed.items():
            line = line.replace(written, here)
        if re.search(r"main\.py chat\b(?!.* -q )", line):
            return self._at_a_terminal(line)
        if not line.endswith("&"):
            return subprocess.run(
                ["bash", "-c", line], cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
        server = subprocess.Popen(
            ["bash", "-c", line.removesuffix("&")], cwd=self.folder, env=self.environ, stdout=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        self.servers.append(server)
        return subprocess.CompletedProcess(line, 0 if server.stdout.readline() else 1, "", "the server said nothing")

    def _at_a_terminal(self, line: str) -> subprocess.CompletedProcess[str]:
        chat = pexpect.spawn(
            "bash", ["-c", line], cwd=str(self.folder), env=self.environ, timeout=120, encoding="utf-8"
        )
        try:
            chat.expect_exact("ask>")
            chat.sendeof()
            chat.expect(pexpect.EOF)
        finally:
            chat.close(force=True)
        return subprocess.CompletedProcess(line, chat.exitstatus, "", chat.before)

    def close(self) -> None:
        for server in self.servers:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            server.stdout.close()


def a_clone(folder: Path) -> Path:
    """A folder with what is in the repository: its folders as links, its files as copies, which lines may rewrite."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for top in sorted({line.partition("/")[0] for line in listed.splitlines()} - {".ci", ".gitignore"}):
        if (ROOT / top).is_dir():
            (folder / top).symlink_to(ROOT / top)
        else:
            shutil.copy(ROOT / top, folder / top)
    return folder


def as_the_page_says(page: str, folder: Path) -> None:
    """Makes the page's changes to a copy of the program: new files (Python below "`path`:"), then differences."""
    new = re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    differences = "".join(block.text for block in blocks(page) if block.language == "diff")
    if not differences:
        return
    (folder / "sql_rl").unlink()
    shutil.copytree(ROOT / "sql_rl", folder / "sql_rl", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in new:
        (folder / path).write_text(text)
    subprocess.run(["git", "apply", "-"], cwd=folder, input=differences, text=True, check=True)


def with_files(folder: Path) -> None:
    """What a reader of the pages has: a benchmark in Spider's layout with predictions, two small databases."""
    for name, script in DATABASES.items():
        write_database(folder / "spider" / "database" / name / f"{name}.sqlite", script)
    write_questions(folder / "spider" / "dev.json")
    write_lines(folder / "predictions.sql", GOLDS)
    completions = [
        {"question": question, "completion": completion("I look.", gold)} for question, gold in ANSWERS.items()
    ]
    write_rows(folder / "completions.jsonl", completions)
    with sqlite3.connect(folder / "shop.sqlite") as db:
        db.executescript(SHOP)
    db.close()
    with duckdb.connect(str(folder / "shop.duckdb")) as db:
        db.execute(SHOP)


def with_source(hub: HubServer) -> None:
    """The dataset that `distill` reads by default: there, rows of the sample."""
    file = io.BytesIO()
    pq.write_table(pyarrow.json.read_json(SAMPLE).slice(0, 40), file)
    repo = hub.store.repos["dataset", "gretelai/synthetic_text_to_sql"] = Repo(private=False)
    card = b"---\nlicense: apache-2.0\n---\n"
    repo.add("rows", {"train.parquet": file.getvalue(), "README.md": card}, [], None)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def world(tmp_path: Path, clean_environ: dict[str, str]) -> Iterator[Callable[[str], World]]:
    """Makes the world of a page. A provider of batches answers docs/batch-api.md, one of chats all others."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv, which the lines call, is not in PATH")
    with ExitStack() as stack:

        def make(page: str) -> World:
            kind = BatchServer if page.endswith("batch-api.md") else ChatServer
            provider = stack.enter_context(kind(answers=ANSWERS).running())
            hub = stack.enter_context(HubServer().running())
            with_source(hub)
            with_files(a_clone(tmp_path))
            as_the_page_says(page, tmp_path)
            environ = clean_environ | SHORT | {
                "UV_PROJECT": str(ROOT), "UV_NO_SYNC": "1", "UV_OFFLINE": "1",
                "API_KEY": "sk-test", "SQL_RL_BASE_URL": provider.url,
                "HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
                "XDG_STATE_HOME": str(tmp_path / "state"),
            }  # fmt: skip
            renamed = {"http://localhost:8000/v1": provider.url, "--seconds 20": "--seconds 0"}
            renamed |= {port: free_port() for port in ("8123", "8124", "8765")}
            made = World(tmp_path, environ, renamed)
            stack.callback(made.close)
            return made

        yield make
