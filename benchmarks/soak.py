"""The engine through everything at once, for minutes or days: a server that misbehaves, kill -9, signals, a full disk.

    uv run python -m benchmarks.soak --minutes 5 [--seed 0] [--rows 400]

Round after round a run of `--rows` rows is started, broken off at random moments, and started again, until it is
finished. Then it is counted: every row that can be had is there, none twice; an answer was lost only by kill -9, and
never more than were in flight; no process is left behind, no file handle and no memory grows. The first breach of
this ends the program with exit code 1. The disk is a file system of its own in memory, which a ballast file fills up;
where none can be mounted, that spell is left out and said so.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
import pyarrow.parquet as pq

from benchmarks.engine import ROOT, made_up_row
from sql_rl.testing.chat_server import ChatServer, Faults
from sql_rl.testing.server_limits import ServerLimits

WINDOW = 64
MIX = Faults(error_400=0.03, error_500=0.05, reset=0.05, stall=0.02, torn=0.02, empty=0.03, truncated=0.02)
PATIENCE = 10.0  # seconds for one request; a stalled one takes longer
MOST_HANDLES = WINDOW + 64  # connections, and what the program itself and its judge have open
MOST_MB = 400
PRIVATE = "SOAK_DISK"  # set inside the private mount namespace
DISK_MB = 64
EXITS = {"kill -9": {-9, 0, 3}, "SIGTERM": {0, 3}, "full disk": {0, 1, 3}, "nothing": {0, 3}}


class Breach(Exception):  # noqa: N818 (what the soak is looking for)
    """The engine did not keep what it promises."""


@dataclass(slots=True)
class Tally:
    """What came of it. lost: answers that were paid and are in no journal."""

    rounds: int = 0
    rows: int = 0
    answers: int = 0
    lost: int = 0
    lives: Counter[str] = field(default_factory=Counter)
    most_handles: int = 0
    most_mb: int = 0


@dataclass(frozen=True, slots=True)
class Life:
    """One start of the program. handles, mb: the most that were seen."""

    exit_code: int
    handles: int
    mb: int


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Breach(what)


def live(command: list[str], spell: str, due: Callable[[], bool], disk: Path, log: Path) -> Life:
    """Starts the program, does to it what the spell says once it is due, and waits for its end."""
    handles = mb = 0
    with log.open("w") as said:
        environ = os.environ | {"SQL_RL_REQUEST_TIMEOUT": str(PATIENCE), "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        cast, ballast = False, disk / "ballast"
        try:
            while process.poll() is None:
                with contextlib.suppress(OSError):  # it may end between two looks
                    handles = max(handles, sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir()))
                    mb = max(mb, peak_mb(process.pid))
                if not cast and due():
                    cast = True
                    match spell:
                        case "kill -9":
                            process.kill()
                        case "SIGTERM":
                            process.terminate()
                        case "full disk":
                            fill(ballast)
                time.sleep(0.02)
        finally:
            process.kill()  # where this program itself is interrupted
            process.wait()
    ballast.unlink(missing_ok=True)
    wait_for_end_of_group(process.pid)
    return Life(process.returncode, handles, mb)


def peak_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def fill(ballast: Path) -> None:
    """Takes all the room that is left on the disk. Raises Breach where the run itself had left none."""
    try:
        file = ballast.open("wb", buffering=0)  # else what is left in the buffer fails anew when it is closed
    except OSError as error:
        sizes = Counter({str(path): path.stat().st_size for path in ballast.parent.rglob("*") if path.is_file()})
        raise Breach(f"{error}, before the ballast: {sizes.most_common(8)}") from error
    with file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)


def wait_for_end_of_group(group: int) -> None:
    """The judge's workers end with the program, however it ended. Raises Breach with those that do not."""
    deadline = time.monotonic() + 30
    while left := in_group(group):
        if time.monotonic() > deadline:
            raise Breach(f"processes are left behind: {left}")
        time.sleep(0.05)


def in_group(group: int) -> list[str]:
    """The processes of a group, by number, state and command; not those that have ended and were not waited for."""
    found = []
    for process in psutil.process_iter(["pid", "status", "cmdline"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.info['status']} {' '.join(process.info['cmdline'] or [])[:80]}")
    return found


def answers_in(folder: Path) -> int:
    """Whole lines of the journal that hold an answer."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return sum(line.startswith(b'{"kind":"completion"') for line in lines)


def check_dataset(folder: Path, server: ChatServer, rows: int) -> None:
    """Every row that can be had is there, none twice, and what was refused for good was asked once."""
    kept = pq.read_table(folder / "data", columns=["id"]).column("id").to_pylist()
    rejected = pq.read_table(folder / "rejected", columns=["id"]).column("id").to_pylist()
    met = Counter(MIX.of(prompt) for prompt in server.seen)
    can_be_had = rows - met["error_400"] - met["empty"] - met["truncated"]
    require(len(kept) == can_be_had, f"{len(kept)} rows are kept, {can_be_had} can be had")
    require(Counter(kept + rejected) == Counter(map(str, range(rows))), "rows are missing, or there twice")
    summary = json.loads((folder / "run.json").read_text())
    require(summary["status"] == "finished" and summary["remaining"] == 0, "run.json does not say that it is finished")


def one_round(random: Random, disk: Path, rows: int, spells: list[str], tally: Tally) -> None:
    """One run from its first start to its end."""
    folder, source, log = disk / "run", disk / "rows.jsonl", disk.parent / "soak.log"
    made = [made_up_row(tally.rows + i) | {"id": str(i)} for i in range(rows)]
    source.write_text("".join(json.dumps(row) + "\n" for row in made))
    server = ChatServer(
        answers={row["sql_prompt"]: row["sql"] for row in made}, faults=MIX, delay=0.05, hang=2 * PATIENCE,
        limits=ServerLimits(closed=0.2), keep_bodies=False,
    )  # fmt: skip
    with server.running():
        command = [sys.executable, "main.py", "distill", "--base-url", server.url, "--dataset-repo-id", str(source)]
        command += ["--output-dir", str(folder), "--batch-size", str(WINDOW), "--retries", "1", "--show-gold", "never"]
        command += ["--limit", str(rows), "--validate"]
        planned = random.choices(spells, k=random.randint(2, 6))
        finished = False
        while not finished:
            spell, answers = planned.pop() if planned else "nothing", random.randint(0, rows // 4)
            paid, had = server.answered.total(), answers_in(folder)
            life = live(command, spell, lambda n=paid + answers: server.answered.total() >= n, disk, log)
            while server.in_flight > 0:
                time.sleep(0.05)
            lost = server.answered.total() - paid - (answers_in(folder) - had)
            told = f"{spell} after {answers} answers, exit code {life.exit_code}"
            require(life.exit_code in EXITS[spell], f"{told}: {log.read_text()[-1000:]}")
            require(0 <= lost <= (WINDOW if life.exit_code == -9 else 0), f"{told}: {lost} answers are lost")
            require(life.handles <= MOST_HANDLES, f"{told}: {life.handles} file handles")
            require(life.mb <= MOST_MB, f"{told}: {life.mb} MB")
            tally.lives[spell] += 1
            tally.lost += lost
            tally.most_handles, tally.most_mb = max(tally.most_handles, life.handles), max(tally.most_mb, life.mb)
            finished = life.exit_code == 0
        check_dataset(folder, server, rows)
    tally.rounds, tally.rows, tally.answers = tally.rounds + 1, tally.rows + rows, tally.answers + answers_in(folder)
    shutil.rmtree(folder)


def soak(minutes: float, seed: int, rows: int, folder: Path) -> None:
    random, tally, disk = Random(seed), Tally(), folder / "disk"
    disk.mkdir()
    spells = ["kill -9", "SIGTERM"]
    if os.environ.get(PRIVATE):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)], check=True)
        spells.append("full disk")
    else:
        print("no file system can be mounted here: the disk does not fill up")
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        one_round(random, disk, rows, spells, tally)
        print(f"round {tally.rounds}: {tally.rows} rows, {dict(tally.lives)}, {tally.lost} answers lost", flush=True)
    print(
        f"{minutes:g} minutes: {tally.rounds} runs, {tally.rows} rows, {tally.answers} answers, {tally.lost} lost to "
        f"{tally.lives['kill -9']} kills; at most {tally.most_handles} file handles and {tally.most_mb} MB; kept"
    )


def in_private_mounts() -> None:
    """Starts this program anew where it may mount; gives back where that is not allowed."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if os.environ.get(PRIVATE) or shutil.which("unshare") is None:
        return
    probe = subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    if probe.returncode == 0:
        os.environ[PRIVATE] = "1"
        os.execvp("unshare", [*unshare, sys.executable, "-m", "benchmarks.soak", *sys.argv[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=400)
    options = parser.parse_args()
    in_private_mounts()
    with tempfile.TemporaryDirectory() as folder:
        try:
            soak(options.minutes, options.seed, options.rows, Path(folder))
        except Breach as breach:
            sys.exit(f"breach: {breach}")
        finally:
            if os.environ.get(PRIVATE):
                subprocess.run(["umount", "--lazy", str(Path(folder) / "disk")], check=True)


if __name__ == "__main__":
    main()
