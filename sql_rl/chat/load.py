"""`/load`: an SQL script, a CSV file or a Parquet file into the database in memory.

Scripts may be in any dialect that the judge reads, and may do what a judged context may: build and fill tables. CSV
(with commas, semicolons or tabs) and Parquet become a table that is named like the file. A file is loaded as a whole,
or nothing of it is.
"""

import csv
import json
import math
import re
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pyarrow as pa

from sql_rl.chat.databases.sqlite import MEMORY, SQLiteDatabase, loosen
from sql_rl.errors import UsageError
from sql_rl.judge.database import run
from sql_rl.judge.dialects.dialect import NATIVE, guess, is_skipped, readings, taken_otherwise
from sql_rl.judge.dialects.scope import Scope
from sql_rl.judge.dialects.statements import split
from sql_rl.judge.sandbox import Budget, Rights, Stopped, execute, fit, one_line

KINDS = ".sql, .csv or .parquet"
_BUDGET = Budget(steps=2**62, deadline=math.inf, rows=0, memory=MEMORY)
_PAGE = 4096  # bytes
_DELIMITERS = ",;\t"
_HEADER = 2**16  # characters in which it is looked for
_SHOWN = 3  # problems of a script


def load(database: SQLiteDatabase, path: Path, now: str) -> str:
    """Adds what the file holds, and says what that is. now: what NOW() gives in a script, 'YYYY-MM-DD HH:MM:SS'.

    Raises UsageError for a file that cannot be read, another kind of file, or a table that is there already.
    """
    if database.path is not None:
        raise UsageError(f"{database.name} is only read: start without --db to load files into memory")
    if not path.is_file():
        raise UsageError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        match path.suffix.lower():
            case ".sql":
                return _script(database.connection, path, now)
            case ".csv" | ".parquet":
                return _table(database.connection, path)
    except apsw.FullError:
        raise UsageError(f"{path}: more than {MEMORY // 2**20} MB in memory: make a database file of it") from None
    except (OSError, UnicodeDecodeError, pa.ArrowException, apsw.Error) as error:
        raise UsageError(f"{path}: {one_line(str(error))}") from None
    except OverflowError as error:  # a date of the year 300,000
        raise UsageError(f"{path}: a value is out of range: {error}") from None
    raise UsageError(f"{path}: only {KINDS} can be loaded")


def _script(connection: apsw.Connection, path: Path, now: str) -> str:
    script = path.read_text(encoding="utf-8-sig")
    before = _names(connection)
    with closing(_copy(connection, now)) as twin:
        problems = [] if _at_once(twin, script) else None
        image, names = twin.serialize("main"), _names(twin)
    if problems is None:
        with closing(_copy(connection, now)) as twin:
            problems = _one_by_one(twin, script)
            image, names = twin.serialize("main"), _names(twin)
    if problems and names == before:
        raise UsageError(f"{path}: {problems[0]}")
    connection.deserialize("main", image)
    said = f"{path.name}: {', '.join(names - before) or 'no new table'}"
    more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return said + (f"; left out: {'; '.join(problems[:_SHOWN])}{more}" if problems else "")


def _at_once(db: apsw.Connection, script: str) -> bool:
    """Whether SQLite takes the script as it stands, with its meaning."""
    if taken_otherwise(script):
        return False
    try:
        execute(db, script, Rights.CHANGE, _BUDGET)
    except Stopped:
        return False
    return True


def _one_by_one(db: apsw.Connection, script: str) -> list[str]:
    """Runs each statement in the dialect that it is in; a line for each that cannot be run."""
    home, problems = next(iter(guess(script)), NATIVE), []
    for number, statement in enumerate(split(script), 1):
        if is_skipped(statement) or statement[:6].upper() == "PRAGMA":
            continue
        try:
            run(db, readings(statement, home, Scope()), Rights.CHANGE, _BUDGET)
        except Stopped as stopped:
            problems.append(f"statement {number}: {stopped.reason}")
    return problems


def _copy(connection: apsw.Connection, now: str) -> apsw.Connection:
    twin = loosen(fit(apsw.Connection(":memory:"), now))
    twin.pragma("max_page_count", MEMORY // _PAGE)
    if _names(connection):
        twin.deserialize("main", connection.serialize("main"))
    return twin


def _names(connection: apsw.Connection) -> set[str]:
    own = "type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return {name for (name,) in connection.execute(f"SELECT name FROM sqlite_schema WHERE {own}")}


def _table(connection: apsw.Connection, path: Path) -> str:
    name = re.sub(r"\W+", "_", path.stem).strip("_") or "loaded"
    if name.casefold() in {there.casefold() for there in _names(connection)}:
        raise UsageError(f"{path}: there is a table {name} already: rename the file")
    schema, batches = _read(path)
    columns = ", ".join(f"{_quoted(field.name)} {_declared(field.type)}" for field in schema)
    places = ", ".join("?" * len(schema))
    count = 0
    with connection:
        connection.execute(f"CREATE TABLE {_quoted(name)} ({columns})")
        for batch in batches:
            rows = zip(*(map(_value, column.to_pylist()) for column in batch.columns), strict=True)
            connection.executemany(f"INSERT INTO {_quoted(name)} VALUES ({places})", rows)
            count += batch.num_rows
    return f"{path.name}: {name}, {count:,} rows of {len(schema)} columns"


def _read(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if path.suffix.lower() == ".parquet":
        from pyarrow.parquet import ParquetFile

        file = ParquetFile(path)
        return file.schema_arrow, file.iter_batches()
    from pyarrow.csv import ConvertOptions, ParseOptions, read_csv

    form = ParseOptions(delimiter=_delimiter(path))
    empty_is_null = ConvertOptions(null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False)
    # read whole: a column's type may show in its last row
    table = read_csv(path, parse_options=form, convert_options=empty_is_null)
    return table.schema, iter(table.to_batches())


def _delimiter(path: Path) -> str:
    """What parts the names in the first line: that which parts it into the most; a comma where none does."""
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline(_HEADER)
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), ())))


def _declared(kind: pa.DataType) -> str:
    """The type that a column is declared with: what a model reads, and the affinity that fits the values."""
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_integer(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    if pa.types.is_decimal(kind):
        return f"NUMERIC({kind.precision}, {kind.scale})"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return "BLOB" if any(holds(kind) for holds in binary) else "TEXT"


def _value(value: Any) -> Any:
    """A value as SQLite stores it: dates as ISO text, decimals as numbers, lists and structures as JSON, and as a float
    the integer that 64 bits with a sign do not hold."""
    if isinstance(value, int) and value >= 2**63:
        return float(value)
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
