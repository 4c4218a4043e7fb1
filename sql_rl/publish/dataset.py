"""A distilled dataset as a repository on the Hub: its parquet files, run.json and the card.

The repository always holds a whole dataset: each commit brings files together with the card and the counters that
fit them, and takes away the files of an older version.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sql_rl.errors import UsageError
from sql_rl.publish.dataset_card import SHOWN, dataset_card, public
from sql_rl.publish.repository import Repository
from sql_rl.runs.folder import RunFolder

OWNED = ("data/*.parquet", "rejected/*.parquet", "run.json")
Rows = list[dict[str, Any]]


def publish_dataset(folder: RunFolder, repository: Repository) -> bool:
    """Brings what a run of `distill` left; False if all of it was there. Raises as Repository.push does, and UsageError
    where files are missing: the Hub's would go, too."""
    summary = folder.read_summary()
    data = _shards(folder.data, summary["kept"])
    rejected_data = _shards(folder.rejected, summary["rows"] - summary["kept"])
    files = {f"{path.parent.name}/{path.name}": path for path in (*data, *rejected_data)}
    rows = [*islice(_first_rows(data), 50 * SHOWN), *islice(_first_rows(rejected_data), 50 * SHOWN)]
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


def _shards(folder: Path, rows: int) -> list[Path]:
    """The files of a folder, which hold so many rows. Raises UsageError if they do not."""
    shards = sorted(folder.glob("train-*.parquet"))
    try:
        found = sum(pq.read_metadata(shard).num_rows for shard in shards)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{folder}: a file cannot be read: {error}; run its command again") from error
    if found != rows:
        raise UsageError(f"{folder}: {found:,} rows, but run.json counts {rows:,}: run its command again")
    return shards


def _first_rows(shards: list[Path]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()
