"""Parquet files as the Hub lays them out: data/train-00000-of-00001.parquet for what is kept, rejected.parquet else."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sql_rl.arrow import pa

SHARD_ROWS = 50_000
BATCH_ROWS = 256


class DatasetWriter:
    """Writes rows in batches to temporary files; `finish` gives all of them their names at once.

    Until then the files of an earlier derivation stay as they are. Memory: one batch for each of the two kinds.
    """

    def __init__(self, data: Path, rejected: Path, schema: pa.Schema) -> None:
        self._data, self._rejected, self._schema = data, rejected, schema
        data.mkdir(exist_ok=True)
        self._shards: list[_Part] = [self._shard(0)]
        self._rest = _Part(rejected.with_name(".rejected.tmp"), self._schema)

    def add(self, row: dict[str, Any], keep: bool) -> None:
        if not keep:
            self._rest.add(row)
            return
        if self._shards[-1].rows >= SHARD_ROWS:
            self._shards[-1].close()
            self._shards.append(self._shard(len(self._shards)))
        self._shards[-1].add(row)

    def finish(self) -> None:
        """Closes the files and puts them in the place of what was there."""
        self._shards[-1].close()
        self._rest.close()
        count = len(self._shards)
        names = [self._data / f"train-{i:05d}-of-{count:05d}.parquet" for i in range(count)]
        for part, name in zip(self._shards, names, strict=True):
            part.path.replace(name)
        self._rest.path.replace(self._rejected)
        for old in set(self._data.glob("train-*.parquet")) - set(names):
            old.unlink()

    def _shard(self, number: int) -> "_Part":
        return _Part(self._data / f".train-{number:05d}.tmp", self._schema)


class _Part:
    """One parquet file being written."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.rows = path, 0
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._batch: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._batch.append(row)
        self.rows += 1
        if len(self._batch) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:  # an empty row group is more than `datasets` can read
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._batch, schema=self._schema))
            self._batch.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()
