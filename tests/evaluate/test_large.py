"""A large database is read where it lies: not loaded, not changed, nothing left beside it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from small_benchmark import results, write_database, write_lines

from sql_rl.evaluate.context import renderings

MEGABYTES = 200
SCRIPT = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE reading (id INTEGER PRIMARY KEY, station INT, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {100 * MEGABYTES})
INSERT INTO reading SELECT i, i % 7, printf('%.*c', 10000, 'x') FROM n;
"""
GOLDS = [
    "SELECT count(*) FROM reading WHERE station = 3",
    "SELECT max(length(note)) FROM reading WHERE id < 9000",
    "SELECT id FROM reading WHERE note LIKE '%y'",
]
# What it takes to run a command and tell how large the largest of all its processes grew.
PEAK = """
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_a_large_database(command, clean_environ, tmp_path: Path):
    path = write_database(tmp_path / "large/database/weather/weather.sqlite", SCRIPT)
    rows = [{"db_id": "weather", "question": gold, "query": gold} for gold in GOLDS]
    (tmp_path / "large/dev.json").write_text(json.dumps(rows))
    write_lines(tmp_path / "p.sql", [f"SELECT * FROM ({gold})" for gold in GOLDS])
    state = (digest(path), path.stat().st_mtime_ns)
    arguments = command("evaluate", "--benchmark", "large", "--predictions", "p.sql", "--output-dir", "out")
    program = [sys.executable, "-c", PEAK, *arguments]
    ended = subprocess.run(program, cwd=tmp_path, env=clean_environ, capture_output=True, text=True, check=True)
    code, kilobytes = map(int, ended.stdout.split())
    assert code == 0, ended.stderr
    assert [r["suite"] for r in results(tmp_path / "out")] == [True] * 3
    assert kilobytes / 1024 < MEGABYTES * 0.75, "the largest process is far below the file"
    assert (digest(path), path.stat().st_mtime_ns) == state
    assert list(path.parent.iterdir()) == [path]


def test_a_prompt_from_it_reads_little(tmp_path: Path):
    path = write_database(tmp_path / "weather.sqlite", SCRIPT.replace(f"i < {100 * MEGABYTES}", "i < 2000"))
    few, schema = renderings(path, 20_000)
    assert few.count("INSERT") == 3
    assert len(few) < 600
    assert schema in few


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
