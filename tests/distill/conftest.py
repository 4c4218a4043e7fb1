"""Fixtures of the tests of whole runs: rows, a server that knows them, and programs to be interrupted."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import row, write_rows

from sql_rl.testing.chat_server import ChatServer


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Forty good rows."""
    return write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(40)])


@pytest.fixture
def server(chat_server: ChatServer) -> ChatServer:
    """Knows the right query for every row that `row` makes."""
    chat_server.answers = {row(i)["sql_prompt"]: row(i)["sql"] for i in range(2000)}
    return chat_server


@pytest.fixture
def start(command: Callable[..., list[str]], clean_environ: dict[str, str], tmp_path: Path):
    """Starts the program and gives its process; keyword arguments are environment variables.

    Whatever still runs at the end is killed.
    """
    processes: list[subprocess.Popen[str]] = []

    def start_main(*arguments: object, **environ: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=clean_environ | environ, stdout=pipe, stderr=pipe, text=True
        )
        processes.append(process)
        return process

    yield start_main
    for process in processes:
        process.kill()
        process.wait()
