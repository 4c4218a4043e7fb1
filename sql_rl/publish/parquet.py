"""Parquet files as the Hub lays them out: data/train-00000.parquet for what is kept, rejected/train-00000.parquet else.

Shard i holds what came of the source's rows i * n to (i + 1) * n - 1. So it has its final name and content as soon as
those rows are settled, whatever becomes of the rest: it can be published while the run goes on, and a row that comes
later changes one shard and no other.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SHARD_ROWS = 10_000  # rows of the source
BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class Shard:
    """A closed file. path: where it is now; name: where it will be, below the run's folder ('data/train-…')."""

    path: Path
    name: str


class DatasetWriter:
    """Writes rows in batches to temporary files; `finish` gives all of them their names at once.

    Until then the files of an earlier derivation stay as they are. Memory: one batch for each of the two kinds.
    """

    def __init__(self, data: Path, rejected: Path, schema: pa.Schema, shard_rows: int = SHARD_ROWS) -> None:
        self._shard_rows, self._row = shard_rows, 0
        self._kinds = (_Kind(data, schema), _Kind(rejected, schema))

    def add(self, row: dict[str, Any], keep: bool) -> None:
        """The next row of the source."""
        self._kinds[0 if keep else 1].add(row, self._row // self._shard_rows)
        self._next()

    def skip(self) -> None:
        """The next row of the source is not there: it is not settled."""
        self._next()

    def _next(self) -> None:
        self._row += 1
        if self._row % self._shard_rows == 0:
            for kind in self._kinds:
                kind.close()

    def closed(self) -> list[Shard]:
        """The shards that were closed since this was last asked."""
        return [shard for kind in self._kinds for shard in kind.taken()]

    def finish(self) -> None:
        """Closes the files and puts them in the place of what was there."""
        for kind in self._kinds:
            kind.finish()


class _Kind:
    """The shards of one folder. The open one is made with its first row: a shard without rows has no file."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder, self._schema = folder, schema
        self._open: _Part | None = None
        self._closed: list[Shard] = []
        self._taken = 0

    def add(self, row: dict[str, Any], number: int) -> None:
        if self._open is None:
            self._open = self._part(number)
        self._open.add(row)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._closed.append(self._open.shard)
            self._open = None

    def taken(self) -> list[Shard]:
        new = self._closed[self._taken :]
        self._taken = len(self._closed)
        return new

    def finish(self) -> None:
        if self._open is None and not self._closed:
            self._open = self._part(0)  # `datasets` cannot open a config without a file
        self.close()
        names = {self._folder.parent / shard.name for shard in self._closed}
        for shard in self._closed:
            shard.path.replace(self._folder.parent / shard.name)
        for old in {*self._folder.glob("*.parquet"), *self._folder.glob(".*.tmp")} - names:
            old.unlink()

    def _part(self, number: int) -> "_Part":
        self._folder.mkdir(exist_ok=True)
        name = f"train-{number:05d}.parquet"
        return _Part(Shard(self._folder / f".{name}.tmp", f"{self._folder.name}/{name}"), self._schema)


class _Part:
    """One parquet file being written."""

    def __init__(self, shard: Shard, schema: pa.Schema) -> None:
        self.shard, self._schema = shard, schema
        self._writer = pq.ParquetWriter(shard.path, schema, compression="zstd")
        self._batch: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._batch.append(row)
        if len(self._batch) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:  # an empty row group is more than `datasets` can read
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._batch, schema=self._schema))
            self._batch.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()
