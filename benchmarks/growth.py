"""Time and memory against size: distil 1,000 to 100,000 rows, judge as many queries, and Ray with one worker and two.

    uv run benchmarks/growth.py [NAME …] [--sizes 1000 10000 100000] [--ray-sizes 1000 10000] [--table docs/growth.csv]
                                [--plot docs/growth.png]

  offline     distill --provider offline --validate, rows of Gretel's size, each with a database of its own
  at once     distill from the chat server of sql_rl/testing, 256 in flight, answers at once
  half a second   the same, answers after 0.5 s
  judge       queries judged by two workers, eight to a question as in GRPO: the gold, the gold rewritten, a wrong one
  ray 1, ray 2    distill --use-ray from the server at once, with so many workers on this machine

Each measurement is a process of its own, from its start to its end; a line of --table each: what, rows, seconds, CPU
seconds of all its processes, peak of its largest process in MB (with Ray: of the driver, of a worker and of Ray's own
processes together; its CPU is not counted). What is in the table already is not measured again: the file is the state,
and the plot is drawn of all of it.
"""

import argparse
import asyncio
import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from engine import ROOT, Measured, distill, made_up_row, measured, server
from machine import machine
from ray_scaling import distill as distill_on_ray

from sql_rl.examples import Example
from sql_rl.judge import Judge
from sql_rl.runs.drive import Stop, drive
from sql_rl.settings import JudgeSettings

GROUP = 8  # queries judged of one question
WINDOW = 256  # requests in flight, and queries handed to the judge
DELAYS = {"at once": 0.0, "half a second": 0.5}
WORKERS = {"ray 1": 1, "ray 2": 2}
NAMES = ("offline", *DELAYS, "judge", *WORKERS)


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement. mb: peak of the largest process; of the driver where there is Ray. None: not measured."""

    what: str
    rows: int
    seconds: float
    cpu_seconds: float | None
    mb: float
    worker_mb: float | None = None
    ray_mb: float | None = None


class Table:
    """The points, in a file that grows by a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.points: list[Point] = []
        if path.exists():
            with path.open(newline="") as file:
                self.points = [_point(line) for line in csv.DictReader(file)]

    def has(self, what: str, rows: int) -> bool:
        return any((p.what, p.rows) == (what, rows) for p in self.points)

    def add(self, point: Point) -> None:
        new = not self._path.exists()
        self.points.append(point)
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, [f.name for f in fields(Point)])
            if new:
                writer.writeheader()
            writer.writerow(asdict(point))

    def markdown(self) -> str:
        lines = ["| | rows | seconds | a second | CPU ms a row | MB |", "|---|---|---|---|---|---|"]
        for p in self.points:
            cpu = "" if p.cpu_seconds is None else f"{1000 * p.cpu_seconds / p.rows:.2f}"
            memory = f"{p.mb:.0f}" + (f" driver, {p.worker_mb:.0f} a worker, {p.ray_mb:.0f} Ray" if p.ray_mb else "")
            lines.append(f"| {p.what} | {p.rows:,} | {p.seconds:.1f} | {p.rows / p.seconds:.0f} | {cpu} | {memory} |")
        return "\n".join(lines)


def _point(line: dict[str, str]) -> Point:
    numbers = {name: float(line[name]) if line[name] else None for name in ("cpu_seconds", "worker_mb", "ray_mb")}
    return Point(line["what"], int(line["rows"]), float(line["seconds"]), mb=float(line["mb"]), **numbers)


def measure(what: str, rows: int, folder: Path) -> Point:
    """One point; the rows are written into the folder unless they are there. Raises RuntimeError where a run fails."""
    source = folder / f"{rows}.jsonl"
    if not source.exists():
        with source.open("w") as file:
            file.writelines(json.dumps(made_up_row(i)) + "\n" for i in range(rows))
    if what == "offline":
        return _told(what, rows, distill(str(source), rows, "--provider", "offline", "--validate"))
    if what == "judge":
        return _told(what, rows, measured([sys.executable, __file__, "--judge", str(rows)]))
    with server(str(source), DELAYS.get(what, 0.0)) as url:
        if what in DELAYS:
            return _told(what, rows, distill(str(source), rows, "--base-url", url, "--batch-size", str(WINDOW)))
        asked = argparse.Namespace(source=str(source), window=WINDOW)
        seen = distill_on_ray(url, asked, rows, "--use-ray", "--ray-workers", str(WORKERS[what]))
        return Point(what, rows, seen.seconds, None, seen.driver, seen.worker, seen.ray)


def _told(what: str, rows: int, m: Measured) -> Point:
    return Point(what, rows, round(m.seconds, 2), round(m.cpu_seconds, 2), round(m.rss_mb))


async def judge(count: int) -> None:
    """Judges so many queries, each on a database of its own; what `--judge` does, in a process that is measured."""

    def cases() -> Iterator[tuple[Example, str]]:
        for i in range(count):
            row = made_up_row(i // GROUP)
            gold = row["sql"]
            asked = (gold, f"SELECT name FROM ({gold.replace('SELECT name', 'SELECT *')})", gold.replace("DESC", "ASC"))
            yield Example(i, row["id"], row["sql_prompt"], row["sql_context"], gold), asked[i % 3]

    async with Judge(JudgeSettings(workers=2)) as court:

        async def one(case: tuple[Example, str]) -> None:
            await court.judge(*case)

        await drive(cases(), one, WINDOW, Stop(), grace=court.settings.seconds)


def draw(points: list[Point], path: Path) -> None:
    """Seconds and memory against rows, a line for each way."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (time, memory) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name in NAMES:
        own = sorted((p for p in points if p.what == name), key=lambda p: p.rows)
        if own:
            rows = [p.rows for p in own]
            time.plot(rows, [p.seconds for p in own], marker="o", label=name)
            memory.plot(rows, [p.mb for p in own], marker="o", label=name)
    time.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds, from start to end")
    memory.set(xscale="log", xlabel="rows", ylabel="MB, the largest process (Ray: the driver)")
    memory.set_ylim(bottom=0)
    for axes in (time, memory):
        axes.grid(visible=True, alpha=0.3)
    time.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(NAMES) + " (all of them)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--ray-sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--table", type=Path, default=ROOT / "docs/growth.csv")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/growth.png")
    parser.add_argument("--judge", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        asyncio.run(judge(options.judge))
        return
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    table = Table(options.table)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or NAMES:
            for rows in options.ray_sizes if name in WORKERS else options.sizes:
                if not table.has(name, rows):
                    table.add(measure(name, rows, Path(folder)))
                    print(table.markdown().splitlines()[-1], flush=True)
    draw(table.points, options.plot)
    print(f"\n{table.markdown()}\n\n{machine()}\n{options.table}\n{options.plot}")


if __name__ == "__main__":
    main()
