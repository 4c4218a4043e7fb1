"""How fast `distill` is: against a bare aiohttp loop on the same server in the same run, and offline.

    uv run benchmarks/engine.py server [--rows 1000] [--windows 64 256] [--delay 0.5] [--source rows.parquet]
    uv run benchmarks/engine.py memory [--rows 1000 100000]
    uv run benchmarks/engine.py offline --source ../shared/data/spider/train_rows.parquet

Prints a table; times are of this machine, now: the ratios count. Each measurement is a process of its own; its wall
time includes everything from its start, its CPU time its judge's workers too, its memory is that of the parent alone.
No report is made of these runs: that takes the same whatever the engine does (docs/reports.md).

`full` is the share of the window that was on the wire until the last row was sent (run.json's fullness), for the run
of `--rows` and for the longer one.

CPU is told in two parts. What a request costs is the slope between a run of `--rows` and one of five times as many:
the dataset's row is in it, the start is not. The start is what the slope leaves of the shorter run.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sql_rl.distill.limits.gauge import Gauge
from sql_rl.errors import SqlRlError
from sql_rl.prompts import load_prompts
from sql_rl.sources import open_source

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Measured:
    """One process. seconds, cpu_seconds: wall and CPU; rss_mb: peak of the process itself, without its children.

    output: what it printed. fullness: the mean share of its window that was in use, where it tells.
    """

    seconds: float
    cpu_seconds: float
    rss_mb: float
    output: str = ""
    fullness: float | None = None


def measured(command: list[str]) -> Measured:
    """Runs a command to its end. Raises RuntimeError with what it said if it fails."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        environment = os.environ | {"SQL_RL_REPORT": "false"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}: {said[-2000:]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said)


def check_source(source: str) -> None:
    """Ends the program where its rows cannot be had, before it measures anything."""
    try:
        open_source(source, "train", 1)
    except SqlRlError as error:
        sys.exit(f"--source {error}: it takes any dataset that distill does")


@contextmanager
def server(source: str, delay: float, *options: str) -> Iterator[str]:
    """The chat server in a process of its own, with further options of its own; gives its base URL."""
    command = [sys.executable, "-m", "sql_rl.testing.chat_server", "--answers", source, "--delay", str(delay), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())["base_url"]
        finally:
            process.kill()


async def bare(base_url: str, source: str, rows: int, window: int) -> float:
    """The least that such a client has to do: send each request, read each answer, `window` at a time.

    Gives how full its window was, measured as `distill` measures its own.
    """
    slots, gauge, in_flight = asyncio.Semaphore(window), Gauge(window), 0
    now = asyncio.get_running_loop().time
    connector = aiohttp.TCPConnector(limit=window)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(prompt: list[dict[str, str]]) -> None:
            nonlocal in_flight
            async with slots:
                in_flight += 1
                gauge.changed(in_flight, held=False, now=now())
                gauge.row_opened()
                body = {"model": "m", "messages": prompt}
                async with session.post(f"{base_url}/chat/completions", json=body) as response:
                    (await response.json())["choices"][0]["message"]["content"]
                in_flight -= 1
                gauge.changed(in_flight, held=False, now=now())

        draft = load_prompts().draft
        prompts = [draft(e) for e in open_source(source, "train", rows).examples()]
        await asyncio.gather(*(ask(prompt) for prompt in prompts))
    return gauge.fullness


def distill(source: str, rows: int, *options: str) -> Measured:
    """`main.py distill` into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        common = ["--dataset-repo-id", source, "--limit", str(rows), "--output-dir", f"{folder}/run"]
        m = measured([sys.executable, str(ROOT / "main.py"), "distill", *common, *options])
        wire = json.loads(Path(folder, "run/run.json").read_text())["wire"]
        return dataclasses.replace(m, fullness=wire.get("fullness"))


def against_server(options: argparse.Namespace) -> None:
    rows, more = options.rows, 5 * options.rows
    print(f"{rows} and {more} rows, answers after {options.delay} s")
    print("window | what               | seconds | x bare | CPU ms/request | CPU s at start | full       | RSS MB")
    with server(options.source, options.delay) as url:
        for window in options.windows:
            compare(url, options.source, window, rows, more)


def compare(url: str, source: str, window: int, rows: int, more: int) -> None:
    """The lines of one window."""

    def bare_loop(count: int) -> Measured:
        m = measured([sys.executable, __file__, "bare", url, source, str(count), str(window)])
        return dataclasses.replace(m, fullness=float(m.output))

    def ours(count: int, *options: str) -> Measured:
        return distill(source, count, "--base-url", url, "--batch-size", str(window), *options)

    runs: dict[str, Callable[[int], Measured]] = {
        "bare aiohttp loop": bare_loop,
        "distill": ours,
        "distill --validate": lambda count: ours(count, "--validate"),
    }
    base = 0.0
    for name, run in runs.items():
        short, long = run(rows), run(more)
        base = base or short.seconds
        slope = (long.cpu_seconds - short.cpu_seconds) / (more - rows)
        print(
            f"{window:6} | {name:<18} | {short.seconds:7.2f} | {short.seconds / base:6.2f} | {1000 * slope:14.2f} | "
            f"{short.cpu_seconds - rows * slope:14.2f} | "
            f"{short.fullness:.3f}, {long.fullness:.3f} | {short.rss_mb:.0f}, {long.rss_mb:.0f}",
            flush=True,
        )


def memory(options: argparse.Namespace) -> None:
    """The parent's peak against the number of rows: all questions differ, each has a schema of its own."""
    print("rows | seconds | RSS MB")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.rows:
            source = Path(folder) / f"rows-{count}.jsonl"
            with source.open("w") as file:
                file.writelines(json.dumps(made_up_row(i)) + "\n" for i in range(count))
            with server(str(source), 0.0) as url:
                m = distill(str(source), count, "--base-url", url, "--batch-size", "256")
            print(f"{count} | {m.seconds:.1f} | {m.rss_mb:.0f}", flush=True)


def made_up_row(i: int) -> dict[str, str]:
    """A row in Gretel's columns, of the size of one of Gretel's."""
    values = ", ".join(f"({n}, 'person {n * i % 997}', {n * 7 + i % 13})" for n in range(12))
    return {
        "id": str(i),
        "sql_prompt": f"Who of group {i} has the most points?",
        "sql_context": f"CREATE TABLE g{i} (id INT, name TEXT, points INT); INSERT INTO g{i} VALUES {values};",
        "sql": f"SELECT name FROM g{i} ORDER BY points DESC LIMIT 1",
        "sql_explanation": f"Sorts the rows of g{i} by their points and takes the first name.",
    }


def offline(options: argparse.Namespace) -> None:
    m = distill(options.source, options.rows, "--provider", "offline", "--validate")
    rows = open_source(options.source, "train", options.rows).count
    print(f"offline --validate: {rows} rows in {m.seconds:.1f} s, {rows / m.seconds:.0f} rows/s, RSS {m.rss_mb:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    growth = commands.add_parser("memory", help="the parent's memory against the number of rows")
    growth.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    for name in ("server", "offline"):
        command = commands.add_parser(name)
        command.add_argument("--source", default="../shared/data/spider/train_rows.parquet")
        command.add_argument("--rows", type=int, default=1000 if name == "server" else 1_000_000)
    commands.choices["server"].add_argument("--windows", type=int, nargs="+", default=[64, 256])
    commands.choices["server"].add_argument("--delay", type=float, default=0.5)
    loop = commands.add_parser("bare", help="the bare loop alone; `server` starts it")
    for name, kind in (("url", str), ("source", str), ("rows", int), ("window", int)):
        loop.add_argument(name, type=kind)
    options = parser.parse_args()
    match options.command:
        case "bare":
            print(asyncio.run(bare(options.url, options.source, options.rows, options.window)))
        case "server":
            check_source(options.source)
            against_server(options)
        case "memory":
            memory(options)
        case "offline":
            check_source(options.source)
            offline(options)


if __name__ == "__main__":
    main()
