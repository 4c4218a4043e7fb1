"""A small benchmark in Spider's layout, and programs to be interrupted."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from small_benchmark import DATABASES, write_database, write_questions


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    """A folder in Spider's layout: six questions on two databases."""
    folder = tmp_path / "small"
    for name, script in DATABASES.items():
        write_database(folder / "database" / name / f"{name}.sqlite", script)
    write_questions(folder / "dev.json")
    return folder


@pytest.fixture
def start(command: Callable[..., list[str]], clean_environ: dict[str, str], tmp_path: Path):
    """Starts the program and gives its process; whatever still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start_main(*arguments: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=clean_environ, stdout=pipe, stderr=pipe, text=True
        )
        processes.append(process)
        return process

    yield start_main
    for process in processes:
        process.kill()
        process.wait()
