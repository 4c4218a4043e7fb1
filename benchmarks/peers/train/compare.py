"""`train` beside plain TRL with a naive reward: seconds of a GRPO step, what rewards take of it, and hostile queries.

    uv run python -m benchmarks.peers.train.compare [--steps 20] [--work FOLDER] [--patience 120]

The student is micro after the SFT of benchmarks/train_micro.py, and the rows are that program's: what it left in
FOLDER is used, and made where it is missing. Both sides take the same steps over them (stepping.py), each in a process
of its own, in one run: step by step the ratio counts. Then a query that a model may well write is put into each batch
of three steps: who is not through with them after --patience seconds is ended.

The rows' tables hold no data (the recipe's prompts have no room for it): on them whatever runs has the same result as
whatever else does, so that a reward by the given data alone pays it all, which the mean reward shows.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT, machine
from benchmarks.train_micro import prepare

DRAWN = 8000  # rows of the generator, as in train_micro.py
SIDES = {"ours": "`train`", "naive": "TRL, naive reward"}
COUNTED = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n{}) SELECT "
HOSTILE = {
    "a recursive CTE that never ends": COUNTED.format("") + "count(*) FROM n",
    "a cross join of 10^15 rows": COUNTED.format(" LIMIT 100000") + "count(*) FROM n a, n b, n c",
    "1 GB in one expression": "SELECT length(replace(hex(zeroblob(30000000)), '00', 'abcdefghijklmnop'))",
    "VACUUM INTO a file": "VACUUM INTO '{file}'",
}
HOSTILE_STEPS = 3
LOOK = 0.2  # seconds between two looks at a process


@dataclass(frozen=True, slots=True)
class Ran:
    """One process. steps: (seconds of the step, of its rewards). hung: seconds from its first step until it was ended,
    None where it ended by itself. reward, peak_mb: None where it did not come to its end. said: on stderr."""

    steps: list[tuple[float, float]]
    hung: float | None
    reward: float | None
    peak_mb: int | None
    said: str


def stepping(side: str, student: Path, work: Path, steps: int, patience: float, hostile: str | None = None) -> Ran:
    """Runs one side to its end, or ends it when it has been at its steps for longer than patience, in seconds."""
    asked = ["--config", work / "config.yaml", "--model", student, "--rows", work / "rows.jsonl", "--steps", steps]
    command = [sys.executable, "-m", "benchmarks.peers.train.stepping", side, *map(str, asked)]
    with tempfile.TemporaryDirectory() as folder:
        told, said = Path(folder) / "told", Path(folder) / "said"
        with told.open("w") as out, said.open("w") as errors:
            process = subprocess.Popen(
                [*command, *(["--hostile", hostile] if hostile else [])], cwd=ROOT, stdout=out, stderr=errors
            )
        begun = hung = None
        while process.poll() is None and hung is None:
            time.sleep(LOOK)
            begun = begun or (time.monotonic() if told.stat().st_size else None)
            if begun and time.monotonic() - begun > patience:
                hung = time.monotonic() - begun
                process.kill()
        process.wait()
        lines = [json.loads(line) for line in told.read_text().splitlines()]
        last = lines[-1] if lines else {}
        found = [(line["seconds"], line["rewards"]) for line in lines if "step" in line]
        return Ran(found, hung, last.get("reward"), last.get("peak_mb"), said.read_text())


def speed(student: Path, work: Path, steps: int) -> None:
    print("| | step s (median) | times ours | rewards, ms a step | share of the step | mean reward | MB |")
    print("|---|---|---|---|---|---|---|")
    base = 0.0
    for side, name in SIDES.items():
        ran = stepping(side, student, work, steps, patience=3600)
        if ran.reward is None:
            sys.exit(f"{name} failed:\n{ran.said[-3000:]}")
        step = statistics.median(seconds for seconds, _ in ran.steps)
        rewards = statistics.median(rewards for _, rewards in ran.steps)
        base = base or step
        share = sum(rewards for _, rewards in ran.steps) / sum(seconds for seconds, _ in ran.steps)
        cells = (f"{step:.2f}", f"{step / base:.2f}", f"{1000 * rewards:.0f}", f"{100 * share:.1f} %")
        print(f"| {name} | {' | '.join(cells)} | {ran.reward:.3f} | {ran.peak_mb:,} |", flush=True)


def hostile(student: Path, work: Path, patience: float) -> None:
    print(f"\n| in each batch | {' | '.join(SIDES.values())} |\n|---|---|---|")
    for name, sql in HOSTILE.items():
        cells = []
        for side in SIDES:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "left-behind"
                ran = stepping(side, student, work, HOSTILE_STEPS, patience, sql.format(file=file))
                left = f"; it wrote a file of {file.stat().st_size:,} bytes" if file.exists() else ""
            cells.append(outcome(ran) + left)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def outcome(ran: Ran) -> str:
    done = f"{len(ran.steps)} of {HOSTILE_STEPS} steps"
    if ran.hung is not None:
        return f"hangs: {done}, ended after {ran.hung:.0f} s"
    if ran.reward is None:
        return f"fails: {done}, {' '.join(ran.said.splitlines()[-1:])}"
    return f"{done}, rewards {max(rewards for _, rewards in ran.steps):.1f} s at most, {ran.peak_mb:,} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "train-micro")
    parser.add_argument("--patience", type=float, default=120.0)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    config, run = prepare(work, DRAWN), work / "seed-0"
    student = run / "sft/best"
    if not student.exists():
        command = [sys.executable, "main.py", "train", "--stage", "sft", "--seed", "0", "--config", str(config)]
        subprocess.run([*command, "--output-dir", str(run)], cwd=ROOT, check=True)
    speed(student, work, options.steps)
    hostile(student, work, options.patience)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
