"""What all tests share: the real data beside the checkout, the program as a user runs it, a server on loopback."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sql_rl.testing.chat_server import ChatServer

if TYPE_CHECKING:
    from sql_rl.testing.hub_server import HubServer

ROOT = Path(__file__).parent.parent
os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # The tests beside this one have the other cores: OpenMP's threads would spin while they wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups that run in one process begin first, so that none is still at work when all other tests have ended."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; tests that need it are skipped where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data is not there (../shared/data)")
    return folder


@pytest.fixture
def clean_environ(tmp_path: Path) -> dict[str, str]:
    """An environment without the credentials and settings of whoever runs the tests."""
    # Without its bytecode cache every start of the program would compile all it imports.
    ours = ("API_KEY", "HF_TOKEN", "NAMESPACE", "MODEL", "REPO_ID", "PUBLISH_REPO_ID", "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("SQL_RL_")}
    # A report at the end of each run would cost the suite minutes: the tests of reports ask for theirs.
    return kept | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "NO_COLOR": "1", "SQL_RL_REPORT": "false"}


@pytest.fixture
def command(tmp_path: Path, clean_environ: dict[str, str]) -> Callable[..., list[str]]:
    """`main.py` with arguments, as a list to run."""
    return lambda *arguments: [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


@pytest.fixture
def run(
    tmp_path: Path, clean_environ: dict[str, str], command: Callable[..., list[str]]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `main.py` in tmp_path; keyword arguments are environment variables."""

    def run_main(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=clean_environ | environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run_main


@pytest.fixture
def run_here(
    tmp_path: Path, clean_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Like `run`, but in this process: where most of a test would be the program's start."""

    def run_main(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
        from sql_rl import cli

        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(os, "environ", clean_environ | environ)
            patch.setattr(sys, "argv", ["main.py", *map(str, arguments)])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.run()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, said.out, said.err)

    return run_main


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """A well-behaved chat server; tests change its fields."""
    with ChatServer().running() as server:
        yield server


@pytest.fixture
def hub() -> "Iterator[HubServer]":
    """A well-behaved Hub that knows one token, which belongs to `me`; tests change its fields."""
    from sql_rl.testing.hub_server import HubServer  # huggingface_hub, which few tests need, takes its time

    with HubServer(token="hf_very_secret").running() as server:
        yield server


@pytest.fixture
def hub_environ(hub: "HubServer") -> dict[str, str]:
    """What a program needs to find it."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
