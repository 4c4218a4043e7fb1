"""Sources: the rows of a dataset, wherever it lies.

`open_source` takes a Hub id, a .jsonl, .json, .csv or .parquet file, a folder saved by `datasets` (or one that
`distill` wrote), or `sample`. A Source can be read again and again from its start, since a run's files are derived
from a second reading. What is wrong with a source is found here, before a token is paid.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from sql_rl.arrow import pa
from sql_rl.errors import SqlRlError, UsageError
from sql_rl.examples import Example, columns_of, from_row

SAMPLE = "sample"
SAMPLE_LICENSE = "apache-2.0"  # written for this project
BATCH_ROWS = 512
UNREADABLE_JSON = (RecursionError, ValueError)  # nested too deep; a number of more digits than Python takes


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that was found good.

    name: as the user wrote it. count: rows, after the limit. schema: the Arrow schema of its rows. columns: field of
    Example -> column. identity: changes when the rows do. license: as the dataset states it, '' if it does not.
    rows: a fresh iterator over the rows, each a dict with every column of the schema. on_hub: it has a Hub id.
    """

    name: str
    on_hub: bool
    count: int
    schema: pa.Schema
    columns: Mapping[str, str]
    identity: str
    license: str
    rows: Callable[[], Iterator[dict[str, Any]]]

    @property
    def title(self) -> str:
        """The name for others to read: of a local path only the last part, which tells nothing of this machine."""
        return self.name if self.on_hub else Path(self.name).name

    def examples(self) -> Iterator[Example]:
        """The rows as Examples, in the order of the source."""
        for position, row in enumerate(self.rows()):
            yield from_row(row, position, self.columns)


@dataclass(frozen=True, slots=True)
class _Table:
    """What a reader knows before columns and limit are looked at."""

    count: int
    schema: pa.Schema
    identity: str
    license: str
    rows: Callable[[], Iterator[dict[str, Any]]]
    on_hub: bool = False


def open_source(
    name: str, split: str, limit: int | None, columns: Mapping[str, str] | None = None, token: str | None = None
) -> Source:
    """The first `limit` rows of one split of a dataset, all of them without a limit.

    columns: field of Example -> column, where a dataset names its columns otherwise (`examples.columns_of`).
    token: for a dataset on the Hub that is not public.
    Raises UsageError: no such file, dataset or split; a line that is not JSON; no rows; a needed column missing.
    Raises SqlRlError where the Hub cannot be reached.
    """
    table = _table(name, split, limit, token)
    if table.count == 0:
        raise UsageError(f"{name}: the dataset has no rows")
    try:
        found = columns_of(table.schema.names, columns)
    except LookupError as error:
        raise UsageError(f"{name}: {error.args[0]}") from None
    return Source(
        name=name,
        on_hub=table.on_hub,
        count=table.count if limit is None else min(table.count, limit),
        schema=table.schema,
        columns=found,
        identity=table.identity,
        license=table.license,
        rows=lambda: islice(table.rows(), limit),
    )


def identity_of_file(name: str) -> str:
    """The identity of the Source that a file makes, without reading its rows; '' for what is no file."""
    path = _path(name)
    return _stamp(path) if path.is_file() else ""


def _path(name: str) -> Path:
    return Path(str(resources.files("sql_rl") / "sample.jsonl")) if name == SAMPLE else Path(name).expanduser()


def _table(name: str, split: str, limit: int | None, token: str | None) -> _Table:
    path = _path(name)
    if path.is_dir():
        return _folder(path, split)
    reader = READERS.get(path.suffix.lower())
    if reader is None or not path.exists():
        if reader is not None or name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise UsageError(
                f"{name}: no such file or dataset; give a Hub id (owner/name), a {', '.join(READERS)} file, "
                f"a folder saved by datasets, or `{SAMPLE}`"
            )
        return _hub(name, split, token)
    if split != "train":
        raise UsageError(f"{name}: no split {split!r}: a file has one split, train")
    try:
        table = reader(path, limit)
        return replace(table, license=SAMPLE_LICENSE) if name == SAMPLE else table
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, pa.ArrowInvalid, csv.Error) as error:
        raise UsageError(f"{name}: not a {path.suffix} file: {error}") from error


def _jsonl(path: Path, limit: int | None) -> _Table:
    def rows() -> Iterator[dict[str, Any]]:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _json_object(line, f"{path}: line {number}")

    return _from_dicts(path, rows, limit)


def _json_object(text: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{place}: not JSON: {error.msg} at column {error.colno}") from None
    except UNREADABLE_JSON as error:
        raise UsageError(f"{place}: JSON that cannot be read: {error}") from None
    if not isinstance(row, dict):
        raise UsageError(f"{place}: expected an object with the columns, found {type(row).__name__}")
    return row


def _json(path: Path, limit: int | None) -> _Table:
    """A JSON array of objects; a file of one object a line is read as JSON lines, whatever its name says."""
    text = path.read_text(encoding="utf-8-sig")
    if not text.lstrip().startswith("["):
        return _jsonl(path, limit)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}: not JSON: {error.msg} at column {error.colno}") from None
    except UNREADABLE_JSON as error:
        raise UsageError(f"{path}: JSON that cannot be read: {error}") from None
    for number, row in enumerate(content, start=1):
        if not isinstance(row, dict):
            raise UsageError(f"{path}: row {number}: expected an object, found {type(row).__name__}")
    return _from_dicts(path, lambda: iter(content), limit)


def _csv(path: Path, limit: int | None) -> _Table:
    def rows() -> Iterator[dict[str, Any]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for row in reader:
                if None in row or None in row.values():
                    fields = len(reader.fieldnames or ())
                    raise UsageError(f"{path}: line {reader.line_num}: expected {fields} fields as in the header")
                yield dict(row)

    # A query may be longer than the csv module's default of 128 kB a field.
    csv.field_size_limit(2**31 - 1)
    return _from_dicts(path, rows, limit)


def _parquet(path: Path, limit: int | None) -> _Table:
    with pq.ParquetFile(path) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows

    def rows() -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                yield from batch.to_pylist()

    return _Table(count, schema.remove_metadata(), _stamp(path), "", rows)


READERS: dict[str, Callable[[Path, int | None], _Table]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _from_dicts(path: Path, rows: Callable[[], Iterator[dict[str, Any]]], limit: int | None) -> _Table:
    """Reads the rows once: whether they are good, how many there are, and the schema that fits all of them."""
    schema, count = pa.schema([]), 0
    reader = islice(rows(), limit)
    while batch := list(islice(reader, BATCH_ROWS)):
        names = list(dict.fromkeys(name for row in batch for name in row))
        try:
            found = pa.Table.from_pylist(batch, schema=None if len(names) == len(batch[0]) else _schema(batch, names))
            schema = pa.unify_schemas([schema, found.schema], promote_options="permissive")
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{path}: rows {count + 1} to {count + len(batch)}: half a surrogate pair: {error}"
            ) from None
        except OverflowError as error:
            raise UsageError(
                f"{path}: rows {count + 1} to {count + len(batch)}: a whole number beyond 64 bits"
            ) from error
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UsageError(f"{path}: rows {count + 1} to {count + len(batch)}: mixed types: {error}") from error
        count += len(batch)
    # A column that is null in every row has no type yet; text is what datasets gives it.
    schema = pa.schema([f.with_type(pa.string()) if pa.types.is_null(f.type) else f for f in schema])
    return _Table(count, schema, _stamp(path), "", lambda: ({n: r.get(n) for n in schema.names} for r in rows()))


def _schema(batch: list[dict[str, Any]], names: list[str]) -> pa.Schema:
    """from_pylist looks at the first row's keys only; rows with more keys need them all named."""
    return pa.schema([pa.field(name, pa.array([row.get(name) for row in batch]).type) for name in names])


def _stamp(path: Path) -> str:
    """A digest of a file's bytes: the same rows under another name or date are the same source."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _folder(path: Path, split: str) -> _Table:
    """Parquet shards as they lie in the Hub's layout, which is that of `distill`; other folders are read by datasets.

    Its cache takes two folders of one name for the same rows, where their READMEs list the same files: what was read
    from an earlier run would come back instead of a later one. So it gets a place by the folder's bytes.
    """
    saved = (path / "dataset_dict.json").exists() or (path / "state.json").exists()
    shards = sorted((path / "data").glob(f"{split}-*.parquet"))
    table = _shards(shards) if shards and not saved else _by_datasets(path, split, saved)
    card = path / "README.md"
    try:
        return replace(table, license=table.license or (_license_on_card(str(card), None) if card.exists() else ""))
    except (ValueError, yaml.YAMLError):  # a README with another head than the Hub's states none
        return table


def _shards(paths: list[Path]) -> _Table:
    tables = []
    for path in paths:
        try:
            tables.append(_parquet(path, None))
        except pa.ArrowInvalid as error:
            raise UsageError(f"{path}: not a {path.suffix} file: {error}") from error
    if any(table.schema != tables[0].schema for table in tables):
        raise UsageError(f"{paths[0].parent}: its shards have different columns")
    identity = hashlib.sha256(" ".join(table.identity for table in tables).encode()).hexdigest()[:16]
    return replace(
        tables[0],
        count=sum(table.count for table in tables),
        identity=identity,
        rows=lambda: chain.from_iterable(table.rows() for table in tables),
    )


def _by_datasets(path: Path, split: str, saved: bool) -> _Table:
    import datasets

    datasets.disable_progress_bars()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    stamps = "".join(f"{file.relative_to(path)} {_stamp(file)} " for file in files)
    identity = hashlib.sha256(stamps.encode()).hexdigest()[:16]
    try:
        if saved:
            loaded = datasets.load_from_disk(str(path))
        else:
            cache = Path(datasets.config.HF_DATASETS_CACHE) / identity
            loaded = datasets.load_dataset(str(path), split=split, cache_dir=str(cache))
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError) as error:
        raise UsageError(f"{path}: {_one_line(error)}") from error
    if isinstance(loaded, datasets.DatasetDict):
        if split not in loaded:
            raise UsageError(f"{path}: no split {split!r}; there are {', '.join(loaded)}")
        loaded = loaded[split]
    return replace(_loaded(loaded), identity=identity)


def _hub(name: str, split: str, token: str | None) -> _Table:
    import datasets

    datasets.disable_progress_bars()
    try:
        table = _loaded(datasets.load_dataset(name, split=split, token=token))
        return replace(table, on_hub=True, license=table.license or _license_on_card(name, token))
    except datasets.exceptions.DatasetNotFoundError as error:
        raise UsageError(f"{name}: no such dataset on the Hub, or it is private and HF_TOKEN is not set") from error
    except (ValueError, datasets.exceptions.DatasetsError) as error:
        raise UsageError(f"{name}: {_one_line(error)}") from error
    except OSError as error:  # ConnectionError and what requests or the Hub's offline mode make of it
        raise SqlRlError(
            f"{name}: the Hub cannot be reached ({_one_line(error)}); "
            f"use a local file, or `--dataset-repo-id {SAMPLE}`, or try again"
        ) from error


def _license_on_card(name: str, token: str | None) -> str:
    """What the card of a dataset on the Hub states (several with commas between), '' where it states none."""
    from huggingface_hub import DatasetCard
    from huggingface_hub.errors import EntryNotFoundError

    try:
        stated = DatasetCard.load(name, token=token).data.license
    except EntryNotFoundError:
        return ""
    return ", ".join(stated) if isinstance(stated, list) else stated or ""


def _loaded(dataset: Any) -> _Table:
    return _Table(
        count=len(dataset),
        schema=dataset.features.arrow_schema.remove_metadata(),
        identity=dataset._fingerprint,
        license=dataset.info.license or "",
        rows=lambda: iter(dataset),
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
