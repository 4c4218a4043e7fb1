"""A distilled dataset as a repository on the Hub: its parquet files, run.json and the card.

The repository always holds a whole dataset: each commit brings files together with the card and the counters that
fit them, and takes away the files of an older version.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sql_rl.publish.dataset_card import SHOWN, dataset_card, public
from sql_rl.publish.repository import Repository
from sql_rl.runs.folder import RunFolder

OWNED = ("data/*.parquet", "rejected/*.parquet", "run.json")
Rows = list[dict[str, Any]]


def publish_dataset(folder: RunFolder, repository: Repository) -> bool:
    """Brings what a run of `distill` left; False if all of it was there. Raises as Repository.push does."""
    summary = folder.read_summary()
    files = {f"{kind.name}/{path.name}": path for kind in (folder.data, folder.rejected) for path in _shards(kind)}
    kept, others = _first_rows(_shards(folder.data)), _first_rows(_shards(folder.rejected))
    rows = [*islice(kept, 50 * SHOWN), *islice(others, 50 * SHOWN)]
    accepted = [row for row in rows if row["reason"] is None][:SHOWN]
    rejected = [row for row in rows if row["reason"] is not None][:SHOWN]
    return push_dataset(repository, files, summary, accepted, rejected)


def push_dataset(
    repository: Repository,
    files: Mapping[str, Path],
    summary: Mapping[str, Any],
    accepted: Rows,
    rejected: Rows,
    keep: Collection[str] = (),
) -> bool:
    """One commit with these files, and the card and run.json of what there is now. keep: files of earlier commits."""
    content = json.dumps(public(summary), indent=2, ensure_ascii=False) + "\n"
    folders = {name.partition("/")[0] for name in (*files, *keep)}
    card = dataset_card(summary, accepted, rejected, repository.target.repo_id, folders)
    title = f"{summary['rows']:,} rows, {summary['accepted']:,} accepted"
    return repository.push({**files, "run.json": content.encode()}, title, card, OWNED, keep)


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("train-*.parquet"))


def _first_rows(shards: list[Path]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()
