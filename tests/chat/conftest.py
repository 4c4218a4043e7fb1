"""A real PostgreSQL server for the tests of chat: Debian's programs, a fresh cluster on loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "g3h&im/p@ss"  # with characters that a URI has to escape
ESCAPED = "g3h%26im%2Fp%40ss"


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps out of PATH; the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    elsewhere = shutil.which("initdb")
    return found[-1].parent if found else Path(elsewhere).parent if elsewhere else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """host:port of a server with the superuser `postgres` and the plain role `reader`, both with PASSWORD."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    user = None
    if os.geteuid() == 0:  # whom PostgreSQL refuses to serve
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    home = Path(tempfile.mkdtemp(prefix="chat-postgres-"))
    if user:
        shutil.chown(home, user)
    password = home / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)

    def program(name: str, *arguments: str) -> None:
        subprocess.run(
            [programs / name, *arguments], check=True, user=user, cwd=home, env={"LC_ALL": "C.UTF-8"}, timeout=180,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-h 127.0.0.1 -p {port} -k {home} -c fsync=off -c shared_buffers=16MB -c max_connections=20"
    data = str(home / "data")
    try:
        program("initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password), "--no-sync")
        program("pg_ctl", "start", "-w", "-D", data, "-o", options, "-l", str(home / "log"))
        try:
            yield f"127.0.0.1:{port}"
        finally:
            program("pg_ctl", "stop", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)
