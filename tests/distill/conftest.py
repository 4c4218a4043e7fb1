"""Fixtures of the tests of whole runs: rows, a server that knows them, and programs to be interrupted."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import asking, row, write_rows

from sql_rl.testing.chat_server import ChatServer, chat_completion


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
def private_mounts() -> None:
    """Skips where this user may not mount a file system of its own."""
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces for this user")


@pytest.fixture
def on_a_small_disk(
    private_mounts: None, command: Callable[..., list[str]], clean_environ: dict[str, str], tmp_path: Path,
    server: ChatServer,
) -> Callable[..., Path]:  # fmt: skip
    """Distils 400 rows on a disk of so many MB, which fills up, with further options; then, with room, to the end.

    Gives the folder that is left.
    """
    rows = write_rows(tmp_path / "rows.jsonl", [row(i) for i in range(400)])
    text = "<think>" + "because " * 500 + "</think><sql>SELECT 1</sql>"
    server.respond = lambda body, visit: (200, chat_completion(body, text), {})
    program = " ".join(f"'{part}'" for part in command(*asking(server, rows, "--output-dir", "disk/out")))
    (tmp_path / "disk").mkdir()

    def distil_twice(megabytes: int, *options: object) -> Path:
        script = f"""
            mount -t tmpfs -o size={megabytes}m tmpfs disk
            {program} {" ".join(map(str, options))}; echo "code $?" >&2
            mount -o remount,size=64m disk
            {program}; echo "code $?" >&2
            cp -r disk/out saved
        """
        ended = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
            cwd=tmp_path, env=clean_environ, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        codes = [line for line in ended.stderr.splitlines() if line.startswith("code")]
        assert codes == ["code 1", "code 0"], ended.stderr
        assert "make room" in ended.stderr
        assert "Traceback" not in ended.stderr
        return tmp_path / "saved"

    return distil_twice


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
