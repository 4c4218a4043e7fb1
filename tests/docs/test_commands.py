"""Every command line of the documentation works: it is run as it stands, in a world where that costs nothing.

What cannot run here is read by the program's own command line: each option exists, each value is allowed.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from doc_pages import NAMES, ROOT, Command, blocks, commands, options_in, program_arguments, prose
from typer.main import get_command

from sql_rl.cli import app
from sql_rl.cli.options import given
from sql_rl.configure import load
from sql_rl.settings import Settings

# Lines that the program's command line reads, and why it does no more: a pattern of "place: line", and the reason.
READ_ONLY = {
    r"unsloth/Phi-4": "downloads 29 GB, and wants a GPU",
    r"accelerate launch": "wants several GPUs",
    r"--provider vLLM": "wants a GPU",
    r"--use-ray": "starts a cluster; tests/distill/cluster does",
    r"postgresql://": "wants a server; tests/chat/test_postgres.py starts one",
    r"ray job submit": "wants a cluster",
    r"--provider local": "loads a student; tests/evaluate and tests/chat/test_local.py do",
    r"train --model micro": "trains for minutes; tests/train/test_run.py does, on rows that are short",
}
# Lines that are not the program's, and why they are not run.
NOT_OURS = {
    r": pip install uv$": "is on this machine",
    r": git clone ": "this is the clone",
    r": uv sync": "would change the environment that the tests run in",
    r": uv run (?:pytest|ruff)": "is what runs here, or beside it",
    r": uv run (?:--with \S+ )?(?:python -m )?benchmarks": "takes minutes to hours",
}
# Options in the text that are not of our commands.
ELSEWHERE = {
    "--group": "uv",
    "--no-default-groups": "uv",
    "--keep_distinct": "Spider's evaluator",
    "--rows": "benchmarks/engine.py and vllm_gemma.py",
    "--source": "benchmarks/engine.py and ray_scaling.py",
    "--windows": "benchmarks/engine.py",
    "--runs": "benchmarks/vllm_gemma.py",
    "--piece-seconds": "benchmarks/gpu_path.py",
    "--data": "benchmarks/gpu_path.py",
}


def is_in(table: Iterable[str], line: Command) -> bool:
    return any(re.search(pattern, f"{line.place}: {line.text}") for pattern in table)


def read(arguments: list[str], folder: Path) -> None:
    """Has the program's own command line and settings read the arguments. Raises what they raise."""
    name, *rest = arguments
    with get_command(app).commands[name].make_context(name, rest) as context:
        if is_dataclass(getattr(Settings(), name, None)):  # a section of the settings: its values are checked too
            load(given(context, name), environ={}, folder=folder)


@pytest.mark.parametrize("page", [name for name in NAMES if commands(name)])
def test_the_lines_of_a_page_run_one_after_another(page: str, world, tmp_path: Path):
    here = world(page)
    for line in commands(page):
        if is_in(NOT_OURS, line):
            continue
        if is_in(READ_ONLY, line):
            read(program_arguments(line.text), tmp_path)
            continue
        ended = here.run(line.text)
        assert ended.returncode == 0, f"{line.place}: {line.text}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr, f"{line.place}: {ended.stderr}"
        printed = ended.stdout.splitlines()
        for block in blocks(page):
            if block.language == "" and printed[:1] == block.text.splitlines()[:1]:  # it shows what this line prints
                assert set(block.text.splitlines()) <= set(printed), f"{page}:{block.line}"


def test_what_is_not_run_is_there():
    lines = [line for name in NAMES for line in commands(name)]
    for pattern in (*READ_ONLY, *NOT_OURS):
        assert any(is_in([pattern], line) for line in lines), f"no line has {pattern}"
    text = "\n".join((ROOT / name).read_text() for name in NAMES)
    for path in re.findall(r"uv run ((?:benchmarks|tools)/[\w/]+\.py)", text):
        assert (ROOT / path).is_file(), path
    for module in re.findall(r"python -m (benchmarks[\w.]*)", text):
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module


def elsewhere(name: str) -> list[Command]:
    """Lines with the program in blocks of other kinds: a crontab, a unit of systemd."""
    return [
        Command(f"{name}:{block.line}", line)
        for block in blocks(name)
        if block.language not in ("bash", "diff")
        for line in block.text.splitlines()
        if "uv run main.py" in line
    ]


@pytest.mark.parametrize("line", [line for name in NAMES for line in elsewhere(name)], ids=lambda line: line.place)
def test_lines_of_other_programs_have_options_that_there_are(line: Command, tmp_path: Path):
    read(program_arguments(line.text), tmp_path)


@pytest.mark.parametrize("page", NAMES)
def test_options_in_the_text_are_options_of_the_program(page: str):
    known = {
        name for c in get_command(app).commands.values() for p in c.params for name in [*p.opts, *p.secondary_opts]
    }
    known |= {"--help", "--version"} | ELSEWHERE.keys()
    servers = re.findall(r"python -m (sql_rl\.testing\.\w+)", "\n".join(line.text for line in commands(page)))
    for server in servers:
        known |= set(re.findall(r"--[\w-]+", help_of("-m", server)))
    assert options_in(prose(page)) <= known


def help_of(*program: str) -> str:
    return subprocess.run(
        [sys.executable, *program, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_every_example_in_a_help_is_read(tmp_path: Path):
    for name, command in get_command(app).commands.items():
        arguments = program_arguments(command.epilog.removeprefix("Example: "))
        assert arguments[0] == name
        read(arguments, tmp_path)
