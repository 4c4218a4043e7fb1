"""What the tests of whole runs share: rows that a server knows, the command line, and what a run leaves."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sql_rl.testing.chat_server import ChatServer

Run = Callable[..., subprocess.CompletedProcess[str]]


def row(i: int, **changes: Any) -> dict[str, Any]:
    context = (
        f"CREATE TABLE shop_{i} (id INT, town TEXT); INSERT INTO shop_{i} VALUES (1, 'Ulm'), (2, 'Bonn'), ({i}, 'Ulm')"
    )
    question = f"How many shops of chain {i} are there in Ulm?"
    sql = f"SELECT COUNT(*) FROM shop_{i} WHERE town = 'Ulm'"
    return {"id": i, "domain": "retail", "sql_prompt": question, "sql_context": context, "sql": sql} | changes


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def asking(server: ChatServer, rows: Path, *more: object) -> tuple[object, ...]:
    return (
        "distill",
        "--base-url",
        server.url,
        "--dataset-repo-id",
        rows,
        "--output-dir",
        "out",
        "--limit",
        5000,
        *more,
    )


def parts(folder: Path) -> tuple[list[dict], list[dict], dict]:
    """The kept rows, the rejected rows, run.json."""
    kept = [r for part in sorted((folder / "data").glob("train-*.parquet")) for r in pq.read_table(part).to_pylist()]
    return kept, pq.read_table(folder / "rejected").to_pylist(), json.loads((folder / "run.json").read_text())


def files(folder: Path) -> dict[str, Any]:
    """What a run leaves, without what time alone changes."""
    kept, rejected, summary = parts(folder)
    for name in ("seconds", "wire", "beyond_target"):
        summary.pop(name, None)
    return {"kept": kept, "rejected": rejected, "summary": summary, "card": (folder / "README.md").read_text()}


def check_whole(folder: Path, rows: int) -> None:
    """All rows are there, in their order, each with its own answer."""
    kept, rejected, summary = parts(folder)
    assert [r["id"] for r in kept] == list(range(rows))
    assert [r["answer_sql"] for r in kept] == [r["sql"] for r in kept]
    assert (rejected, summary["rows"], summary["requests"]) == ([], rows, rows)


def wait_until(condition: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.005)


# Rows whose own query cannot run.
BROKEN = [row(90, sql="SELECT nothing FROM shop_90"), row(91, sql="SELECT COUNT(*) FROM elsewhere")]
