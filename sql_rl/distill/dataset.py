"""The dataset that a run leaves: distilled rows in one fixed Arrow schema, as parquet files.

data/train-*.parquet   the kept rows: accepted, and without --remove-no-valid also the answered ones that are not
rejected.parquet       all other rows
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sql_rl.distill.settle import Outcome
from sql_rl.prompts import completion

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
DISTILLED = pa.schema(
    [
        ("messages", pa.list_(MESSAGE)),  # system, user, assistant: the chat format of TRL
        ("generation", pa.string()),  # the completion as the teacher wrote it
        ("reasoning", pa.string()),  # its parsed reasoning
        ("answer_sql", pa.string()),  # its parsed query; the source's own `sql` column is the gold
        ("verdict", pa.string()),  # the judge's; null where the run did not validate
        ("reason", pa.string()),  # why the row is not accepted; null if it is
        ("attempts", pa.int32()),  # answers asked for
        ("model_name", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int64()),  # of all attempts together, as are the next two
        ("completion_tokens", pa.int64()),
        ("cost_usd", pa.float64()),  # null where no price is known
        ("hint", pa.bool_()),  # was the gold shown to the teacher?
    ]
)
SHARD_ROWS = 50_000
BATCH_ROWS = 256


def schema(source: pa.Schema) -> pa.Schema:
    """The source's columns as they are, then the distilled ones; a source column in their way gets `source_`."""
    return pa.schema([pa.field(_kept_name(f.name), f.type) for f in source] + list(DISTILLED))


def _kept_name(name: str) -> str:
    return f"source_{name}" if name in DISTILLED.names else name


def row(outcome: Outcome, hint: bool, cost: float | None) -> dict[str, Any]:
    """The distilled row of an outcome, its keys those of `schema`. cost: dollars for all attempts."""
    taken = outcome.taken
    answer = taken.answer if taken else None
    reply = taken.completion if taken else None
    paid = [a.completion for a in outcome.attempts if a.completion is not None]
    assistant = (
        [{"role": "assistant", "content": completion(answer.reasoning, answer.sql)}] if answer and answer.sql else []
    )
    return {
        **{_kept_name(name): value for name, value in outcome.example.source.items()},
        "messages": [*outcome.prompt, *assistant],
        "generation": reply.text if reply else None,
        "reasoning": answer.reasoning if answer else None,
        "answer_sql": answer.sql if answer else None,
        "verdict": outcome.verdict.value if outcome.verdict else None,
        "reason": outcome.reason or None,
        "attempts": len(outcome.attempts),
        "model_name": reply.model if reply else None,
        "finish_reason": reply.finish_reason if reply else None,
        "prompt_tokens": sum(c.prompt_tokens for c in paid),
        "completion_tokens": sum(c.completion_tokens for c in paid),
        "cost_usd": cost,
        "hint": hint,
    }


def kept(outcome: Outcome, only_accepted: bool) -> bool:
    """Does the row go to data/? Rows without a query never do: there is nothing to learn from them."""
    answered = outcome.taken is not None and outcome.taken.answer.sql is not None
    return outcome.accepted or (answered and not only_accepted)


class DatasetWriter:
    """Writes rows in batches to temporary files; `finish` gives all of them their names at once.

    Until then the files of an earlier derivation stay as they are. Memory: one batch for each of the two kinds.
    """

    def __init__(self, data: Path, rejected: Path, source: pa.Schema) -> None:
        self._data, self._rejected = data, rejected
        self._schema = schema(source)
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
