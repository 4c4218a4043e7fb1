"""`distill` beside other engines: against one server in one run, after kill -9, and where requests are refused.

    uv run python -m benchmarks.peers.distill.compare [speed] [killed] [refused] [--rows 1000] [--windows 64 256]

Each peer gets an environment of its own below --environments, made with uv the first time. All send the same messages,
and nobody a request twice for a reason of the data: every question is asked once. Times are of whole programs, CPU is
that of all their processes, memory that of the largest. What is kept is counted by the server: an answer that the
second start of the same command asks for again was lost by the first.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import ROOT, made_up_row, measured, server
from sql_rl.examples import columns_of, from_row
from sql_rl.prompts import load_prompts

HERE = Path(__file__).parent
OURS = "distill"
PATIENCE = 180  # seconds for a second start
PARTS = ("speed", "killed", "refused")
# What each needs beside what it says that it needs: requests and beautifulsoup4 are imported and not declared.
PEERS = {
    "distilabel 1.5.3": ("with_distilabel.py", ["distilabel[openai]==1.5.3", "requests"]),
    "curator 0.1.31": ("with_curator.py", ["bespokelabs-curator==0.1.31", "beautifulsoup4"]),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What all of them are to do. rows: in our columns; prompts: the messages that we make of them, for the others."""

    rows: Path
    prompts: Path
    count: int
    environments: Path

    def command(self, name: str, url: str, window: int, folder: Path) -> list[str]:
        """The command that does it; the same one carries on in the same folder."""
        if name == OURS:
            source = ["--dataset-repo-id", str(self.rows), "--limit", str(self.count), "--output-dir", str(folder)]
            return [sys.executable, "main.py", "distill", "--base-url", url, "--batch-size", str(window), *source]
        program, _ = PEERS[name]
        python = self.environments / name.replace(" ", "-") / "bin" / "python"
        return [str(python), str(HERE / program), url, str(self.prompts), str(window), str(folder)]


def prepare(folder: Path, count: int, environments: Path) -> Work:
    """Writes the rows and the prompts, and makes the environments that are not there."""
    for name, (_, packages) in PEERS.items():
        path = environments / name.replace(" ", "-")
        if not path.exists():
            subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", str(path)], check=True)
            subprocess.run(["uv", "pip", "install", "--quiet", "--python", f"{path}/bin/python", *packages], check=True)
    rows, prompts, templates = folder / "rows.jsonl", folder / "prompts.jsonl", load_prompts()
    with rows.open("w") as ours, prompts.open("w") as theirs:
        for position in range(count):
            row = made_up_row(position)
            system, user = templates.draft(from_row(row, position, columns_of(list(row))))
            ours.write(json.dumps(row) + "\n")
            theirs.write(json.dumps({"system": system["content"], "user": user["content"]}) + "\n")
    return Work(rows, prompts, count, environments)


def stats(url: str) -> dict[str, int]:
    """What the server was asked and has answered."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
        return json.load(answer)


def speed(work: Work, windows: list[int], delay: float) -> None:
    print(f"{work.count} rows, answers after {delay} s\nwindow | what             | seconds | x ours | CPU s | RSS MB")
    for window in windows:
        base = 0.0
        for name in (OURS, *PEERS):
            with tempfile.TemporaryDirectory() as folder, server(str(work.rows), delay) as url:
                m = measured(work.command(name, url, window, Path(folder)))
                assert stats(url)["answered"] == work.count, stats(url)
            base = base or m.seconds
            times = f"{m.seconds:7.2f} | {m.seconds / base:6.2f}"
            print(f"{window:6} | {name:<16} | {times} | {m.cpu_seconds:5.1f} | {m.rss_mb:.0f}", flush=True)


def killed(work: Work, window: int, delay: float) -> None:
    print(f"\nkill -9 in mid-run, {window} in flight, then the same command again\nwhat             | paid | lost")
    for name in (OURS, *PEERS):
        with tempfile.TemporaryDirectory() as folder, server(str(work.rows), delay) as url:
            command = work.command(name, url, window, Path(folder))
            process = started(command)
            while stats(url)["answered"] < work.count // 2 and process.poll() is None:
                time.sleep(0.05)
            kill(process)
            time.sleep(2 * delay)  # what is on the wire is paid too
            paid = stats(url)["answered"]
            again = started(command)
            try:
                again.wait(PATIENCE)
                lost = str(stats(url)["answered_twice"])
            except subprocess.TimeoutExpired:
                kill(again)
                lost = f"the second start has not ended after {PATIENCE} s and {stats(url)['answered']} answers"
            print(f"{name:<16} | {paid:4} | {lost}", flush=True)


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """A program in a process group of its own, which says nothing."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 to the program and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def refused(work: Work, window: int, delay: float) -> None:
    print("\n3 % of the requests answer 400\nwhat             | rows that can be had | requests for each that cannot")
    for name in (OURS, *PEERS):
        with (
            tempfile.TemporaryDirectory() as folder,
            server(str(work.rows), delay, "--error-400", "0.03") as url,
        ):
            kept = rows_of(work.command(name, url, window, Path(folder)), Path(folder))
            s = stats(url)
        had = s["answered"] - s["answered_twice"]
        again = (s["requests"] - s["answered"]) / (s["prompts"] - had)
        print(f"{name:<16} | {kept} of {had:<13} | {again:.1f}", flush=True)


def rows_of(command: list[str], folder: Path) -> int:
    """Runs a command to its end; the rows that it left with an answer, 0 where it failed."""
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if (folder / "run.json").exists():
        return json.loads((folder / "run.json").read_text())["accepted"]
    lines = [line for line in ended.stdout.splitlines() if line.startswith('{"rows":')]
    return json.loads(lines[-1])["rows"] if lines else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=PARTS, help="of " + ", ".join(PARTS))
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--windows", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--delay", type=float, default=0.5)
    parser.add_argument("--environments", type=Path, default=Path("~/.cache/sql-rl-peers").expanduser())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = prepare(Path(folder), options.rows, options.environments)
        if "speed" in options.parts:
            speed(work, options.windows, options.delay)
        if "killed" in options.parts:
            killed(work, options.windows[0], options.delay)
        if "refused" in options.parts:
            refused(work, options.windows[0], options.delay)


if __name__ == "__main__":
    main()
