"""How quick is `evaluate`? Spider dev from cold, by the command itself, and a database of a gigabyte where it lies.

    python benchmarks/evaluate_speed.py [--runs N] [--system NAME] [--large-mb MB]

First: `main.py evaluate` on the 972 questions of Spider dev in ../shared/data (six metrics, eight variants, published
predictions), start-up and files included, the best and the median of N runs; the processor time of all its processes
beside it, since a shared machine stretches the clock. Then: twelve questions on one database of so many megabytes,
made in a temporary folder: seconds, the largest process, and whether the file is as it was.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SPIDER = ROOT.parent / "shared/data/spider"
ROW_BYTES = 1000
# On the large database: by the primary key, by an index, by a scan of all, grouped, joined.
LARGE_QUERIES = [
    "SELECT value FROM reading WHERE id = 4711",
    "SELECT count(*) FROM reading WHERE station = 17",
    "SELECT max(value) FROM reading WHERE station = 3",
    "SELECT count(*) FROM reading",
    "SELECT name FROM station ORDER BY height DESC LIMIT 3",
    "SELECT s.name, count(*) FROM station s JOIN reading r ON r.station = s.id WHERE s.height > 900 GROUP BY s.id",
]


@dataclass(frozen=True, slots=True)
class Measured:
    """seconds: by the clock; cpu: seconds of all processes; peak_mb: the largest of them."""

    seconds: float
    cpu: float
    peak_mb: float


def command(benchmark: Path, predictions: Path, folder: Path) -> Measured:
    """One run of `main.py evaluate`, in a process of its own so that its children can be told from others."""
    arguments = ["--benchmark", benchmark, "--predictions", predictions, "--output-dir", folder, "--quiet"]
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.chdir(ROOT)
        ended = subprocess.run([sys.executable, "main.py", "evaluate", *map(str, arguments)], check=False)
        os._exit(ended.returncode)
    _, status, used = os.wait4(pid, 0)
    if status:
        sys.exit("evaluate failed")
    seconds = time.perf_counter() - started
    kilobytes = used.ru_maxrss if sys.platform == "linux" else used.ru_maxrss / 1024
    return Measured(seconds, used.ru_utime + used.ru_stime, kilobytes / 1024)


def cold(system: str, runs: int) -> str:
    predictions = SPIDER / f"predictions/{system}.sql"
    with tempfile.TemporaryDirectory() as folder:
        measured = [command(SPIDER, predictions, Path(folder) / str(n)) for n in range(runs)]
        metrics = json.loads((Path(folder) / "0/metrics.json").read_text())
    seconds, cpu = sorted(m.seconds for m in measured), statistics.median(m.cpu for m in measured)
    return (
        f"{metrics['suite']['total']} questions, {metrics['settings']['judge']['variants']} variants, {system}: "
        f"{seconds[0]:.1f} s at best, {statistics.median(seconds):.1f} s in the median of {runs}, {cpu:.1f} s of "
        f"processor time; load of the machine {os.getloadavg()[0]:.1f}"
    )


def make_large(path: Path, megabytes: int) -> None:
    """A database of about so many megabytes: stations and their readings."""
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.executescript(
        f"""
        PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        CREATE TABLE station (id INTEGER PRIMARY KEY, name TEXT, height INT);
        CREATE TABLE reading (id INTEGER PRIMARY KEY, station INT REFERENCES station, value REAL, note TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
            INSERT INTO station SELECT i, 'Station ' || i, i * 37 % 1000 FROM n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {megabytes * 2**20 // ROW_BYTES})
            INSERT INTO reading
            SELECT i, i % 50 + 1, i * 7919 % 10007 / 10.0, printf('%.*c', {ROW_BYTES - 30}, 'x') FROM n;
        CREATE INDEX by_station ON reading (station);
        """
    )
    db.close()


def large(megabytes: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "large"
        path = home / "database/weather/weather.sqlite"
        make_large(path, megabytes)
        rows = [{"db_id": "weather", "question": f"q{n}", "query": query} for n, query in enumerate(LARGE_QUERIES * 2)]
        (home / "dev.json").write_text(json.dumps(rows))
        others = [f"SELECT * FROM ({query})" for query in LARGE_QUERIES]
        (home / "p.sql").write_text("".join(f"{query}\n" for query in [*LARGE_QUERIES, *others]))
        before = path.stat()
        measured = command(home, home / "p.sql", Path(folder) / "out")
        after = path.stat()
        metrics = json.loads((Path(folder) / "out/metrics.json").read_text())
        left = [p.name for p in path.parent.iterdir()]
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and left == [path.name]
    return (
        f"{before.st_size / 2**20:,.0f} MB, {len(rows)} questions: {measured.seconds:.1f} s, largest process "
        f"{measured.peak_mb:.0f} MB, verdicts {metrics['verdicts']}, file {'as it was' if unchanged else 'CHANGED'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--system", default="dail_gpt4")
    parser.add_argument("--large-mb", type=int, default=1024)
    options = parser.parse_args()
    if options.runs:
        if not SPIDER.exists():
            sys.exit(f"{SPIDER} is missing: put Spider dev there, or give --runs 0")
        print(cold(options.system, options.runs))
    if options.large_mb:
        print(large(options.large_mb))


if __name__ == "__main__":
    main()
