"""Distilled rows whose prompts show their database as `evaluate` shows one: by one and the same function.

The rows of ../shared/data/spider bring their whole database as statements, 9 kB and more of them in every second. The
judge needs all of it; a prompt does not. So each database is made, and shown as the benchmark's are: whole where it
fits, else with the first rows of each table, else its tables alone.
"""

import hashlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sql_rl.evaluate.answering import FromModel
from sql_rl.evaluate.benchmark import Question
from sql_rl.examples import Example
from sql_rl.prompts import estimated_tokens, load_prompts
from sql_rl.settings import Settings


def shorten(distilled: Path, out: Path, style: str, tokens: int) -> dict[str, Any]:
    """Writes the accepted rows of a run of `distill` to the parquet file `out`, their prompts shortened.

    style: of reasoning, as it was distilled. tokens: of a prompt, as `evaluate` counts them (max_prompt_length).
    Returns how many rows there are, and how many tokens their prompts have at the quartiles. A context that is no
    SQLite script is left as it is, and counted.
    """
    asking = FromModel(load_prompts(style), _nobody, Settings(max_prompt_length=tokens), seeded=True)
    table = pa.concat_tables(pq.read_table(part) for part in sorted((distilled / "data").glob("*.parquet")))
    databases = out.parent / "databases"
    databases.mkdir(exist_ok=True)
    rows, lengths, kept = table.to_pylist(), [], Counter()
    for number, row in enumerate(rows):
        database = _database(databases, row["sql_context"])
        kept["as they were" if database is None else "shortened"] += 1
        if database is not None:
            example = Example(number, str(number), row["sql_prompt"], "", row["sql"], database=database)
            row["messages"] = [*asking.prompt(Question(example, "", "")), row["messages"][-1]]
        lengths.append(estimated_tokens(row["messages"][:-1]))
    fresh = out.with_suffix(".new")
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), fresh)
    fresh.replace(out)
    lengths.sort()
    quartiles = [lengths[min(len(lengths) - 1, len(lengths) * part // 4)] for part in range(5)]
    return {"rows": len(rows), "databases": len(list(databases.iterdir())), **kept, "prompt_tokens": quartiles}


async def _nobody(_: Any) -> Any:
    raise AssertionError("prompts are written here, and nobody is asked")


def _database(folder: Path, script: str) -> Path | None:
    """The database of a script, made once; None where SQLite cannot run it."""
    path = folder / f"{hashlib.sha256(script.encode()).hexdigest()[:16]}.sqlite"
    if path.exists():
        return path
    part = path.with_suffix(".new")
    part.unlink(missing_ok=True)
    db = sqlite3.connect(part)
    try:
        db.executescript(f"BEGIN;\n{script}\n;COMMIT;")
    except sqlite3.Error:
        part.unlink()
        return None
    finally:
        db.close()
    part.replace(path)
    return path
