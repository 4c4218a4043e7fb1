"""What Ray costs and brings: the same run without it, with one worker and with two, against one local server.

    uv run benchmarks/ray_scaling.py [--rows 300 1300] [--window 64] [--delay 0.1] [--source rows.parquet]

All of it shares this machine, so that more workers show the overhead rather than a gain. Each way runs twice, over
few and over many rows: the difference tells the rows a second, the rest is the start (of a cluster, too). Memory is
the most that was seen: of the driver (or the program alone), of one worker, and of Ray's own processes together. No
report is made, which takes the same each way.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass

import psutil
from engine import ROOT, check_source, server

LOOK = 0.25  # seconds between two looks at the memory
MB = 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """One run. seconds: from start to end; the rest in MB of resident memory, the most that was seen."""

    seconds: float
    driver: float
    worker: float
    ray: float


def watched(command: list[str]) -> Seen:
    """Runs a command to its end and watches its family. Raises RuntimeError with what it said if it fails."""
    most: Counter[str] = Counter()
    with tempfile.TemporaryFile("w+") as output:
        begin = time.perf_counter()
        environment = os.environ | {"SQL_RL_REPORT": "false"}
        process = psutil.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            most |= resident(process)
            time.sleep(LOOK)
        seconds = time.perf_counter() - begin
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{command} ended with {process.returncode}: {output.read()[-2000:]}")
    return Seen(seconds, most["driver"], most["worker"], most["ray"])


def resident(process: psutil.Process) -> Counter[str]:
    """MB now: of the process, of its largest worker, of Ray's own processes; the judge's are in none of them."""
    now: Counter[str] = Counter()
    try:
        now["driver"] = process.memory_info().rss // MB
        family = process.children(recursive=True)
    except psutil.Error:
        return now
    for child in family:
        try:
            name, size = " ".join(child.cmdline()), child.memory_info().rss // MB
        except psutil.Error:
            continue
        if name.startswith("ray::Worker"):
            now["worker"] = max(now["worker"], size)
        elif "sql_rl.judge" not in name:
            now["ray"] += size
    return now


def distill(url: str, options: argparse.Namespace, rows: int, *more: str) -> Seen:
    """`main.py distill` into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        source = ["--dataset-repo-id", options.source, "--limit", str(rows), "--output-dir", f"{folder}/run"]
        asked = ["--base-url", url, "--batch-size", str(options.window), *more]
        return watched([sys.executable, str(ROOT / "main.py"), "distill", *source, *asked])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[300, 1300], help="few and many")
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.1)
    parser.add_argument("--source", default="../shared/data/spider/train_rows.parquet")
    options = parser.parse_args()
    check_source(options.source)
    few, many = options.rows
    ways = {"without Ray": ()} | {f"--ray-workers {n}": ("--use-ray", "--ray-workers", str(n)) for n in (1, 2)}
    print(f"{few} and {many} rows, {options.window} in flight, answers after {options.delay} s")
    print("| | rows/s | start s | driver MB | a worker MB | Ray's own MB |\n|---|---|---|---|---|---|")
    with server(options.source, options.delay) as url:
        for name, flags in ways.items():
            short, long = distill(url, options, few, *flags), distill(url, options, many, *flags)
            a_row = (long.seconds - short.seconds) / (many - few)
            print(
                f"| {name} | {1 / a_row:.0f} | {short.seconds - few * a_row:.1f} | {short.driver}, {long.driver} "
                f"| {short.worker}, {long.worker} | {short.ray}, {long.ray} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
