"""Schema: what a database declares, read from SQLite itself, so that every dialect and every quirk is resolved.

Names keep the spelling of the declaration; look-ups fold case as SQLite does. Sources: SQLite's PRAGMA
documentation (table_xinfo, index_list, index_xinfo, foreign_key_list) and datatype3.html for affinity.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import apsw
import sqlglot
from sqlglot import exp

HIDDEN_COLUMN, VIRTUAL_COLUMN, STORED_COLUMN = 1, 2, 3  # table_xinfo's `hidden`
EXPRESSION = -2  # index_xinfo's `cid` for an indexed expression


@dataclass(frozen=True, slots=True)
class Column:
    """One column. declared: its type as written, '' for none. affinity: INTEGER, REAL, NUMERIC, TEXT or BLOB.

    not_null: declared so, or the alias of the rowid. default: the default's SQL text, None for none.
    generated: computed by the database, so no INSERT may name it.
    """

    name: str
    declared: str
    affinity: str
    not_null: bool
    default: str | None
    generated: bool


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns whose values together occur once. partial: a WHERE or an expression bounds it, so it may repeat."""

    columns: tuple[str, ...]
    primary: bool
    partial: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of this table refer to `parent_columns` of the table `parent`, in that order."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table. checks: the text of its CHECK conditions in SQLite's dialect."""

    name: str
    columns: tuple[Column, ...]
    keys: tuple[UniqueKey, ...]
    foreign_keys: tuple[ForeignKey, ...]
    checks: tuple[str, ...]

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that an INSERT may name; the rows of this table, here and in variants, are in this order."""
        return tuple(column for column in self.columns if not column.generated)

    @cached_property
    def position(self) -> dict[str, int]:
        """Folded column name -> its place in `stored`."""
        return {column.name.casefold(): place for place, column in enumerate(self.stored)}


@dataclass(frozen=True, slots=True)
class View:
    """A view: its name and the SELECT it stands for, as written."""

    name: str
    sql: str


@dataclass(frozen=True)
class Schema:
    """All tables and views of a database, in the order of their declaration."""

    tables: tuple[Table, ...]
    views: tuple[View, ...]

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """Folded table name -> table."""
        return {table.name.casefold(): table for table in self.tables}

    def table(self, name: str) -> Table | None:
        """The table of that name in any case, None if there is none."""
        return self.by_name.get(name.casefold())

    def is_column(self, name: str) -> bool:
        """Does any table have a column of that name?"""
        folded = name.casefold()
        return any(column.name.casefold() == folded for table in self.tables for column in table.columns)


def affinity(declared: str) -> str:
    """SQLite's affinity of a declared type (datatype3.html, 3.1), by the rules in their order."""
    upper = declared.upper()
    if "INT" in upper:
        return "INTEGER"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not upper or "BLOB" in upper:
        return "BLOB"
    if any(word in upper for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def read_schema(db: apsw.Connection) -> Schema:
    """The schema of the connection's main database. Raises apsw.Error if the database cannot be read."""
    columns: dict[str, list[Column]] = defaultdict(list)
    primary: dict[str, list[tuple[int, str]]] = defaultdict(list)
    definitions: dict[str, str] = {}
    for table, sql, name, declared, not_null, default, pk, hidden in db.execute(
        'SELECT m.name, m.sql, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden '
        "FROM sqlite_schema m, pragma_table_xinfo(m.name) c "
        "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND c.hidden <> ? ORDER BY m.rowid, c.cid",
        (HIDDEN_COLUMN,),
    ):
        definitions[table] = sql
        generated = hidden in (VIRTUAL_COLUMN, STORED_COLUMN)
        columns[table].append(Column(name, declared, affinity(declared), bool(not_null), default, generated))
        if pk:
            primary[table].append((pk, name))
    keys = _read_keys(db)
    for table, parts in primary.items():
        key = tuple(name for _, name in sorted(parts))
        if not any(unique.primary for unique in keys[table]):  # the alias of the rowid has no index of its own
            keys[table].insert(0, UniqueKey(key, primary=True, partial=False))
            columns[table] = [_as_rowid(column) if column.name in key else column for column in columns[table]]
    primary_key = {table: tuple(name for _, name in sorted(parts)) for table, parts in primary.items()}
    foreign = _read_foreign_keys(db, {table.casefold(): key for table, key in primary_key.items()})
    tables = (
        Table(table, tuple(columns[table]), tuple(keys[table]), tuple(foreign[table]), _checks(sql))
        for table, sql in definitions.items()
    )
    views = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY rowid")
    return Schema(tuple(tables), tuple(View(*row) for row in views))


def _as_rowid(column: Column) -> Column:
    return Column(column.name, column.declared, column.affinity, True, column.default, column.generated)


def _read_keys(db: apsw.Connection) -> dict[str, list[UniqueKey]]:
    indexes: dict[tuple[str, str, str, bool], list[tuple[int, str | None]]] = defaultdict(list)
    for table, index, origin, partial, cid, column in db.execute(
        "SELECT m.name, i.name, i.origin, i.partial, x.cid, x.name "
        "FROM sqlite_schema m, pragma_index_list(m.name) i, pragma_index_xinfo(i.name) x "
        "WHERE m.type = 'table' AND i.\"unique\" AND x.key ORDER BY m.rowid, i.seq, x.seqno"
    ):
        indexes[table, index, origin, bool(partial)].append((cid, column))
    keys: dict[str, list[UniqueKey]] = defaultdict(list)
    for (table, _, origin, partial), parts in indexes.items():
        bounded = partial or any(cid == EXPRESSION for cid, _ in parts)
        names = tuple(name for _, name in parts if name is not None)
        keys[table].append(UniqueKey(names, primary=origin == "pk", partial=bounded))
    return keys


def _read_foreign_keys(db: apsw.Connection, primary_key: dict[str, tuple[str, ...]]) -> dict[str, list[ForeignKey]]:
    """Foreign keys by child table; a reference without columns means the parent's primary key."""
    parts: dict[tuple[str, int, str], list[tuple[str, str | None]]] = defaultdict(list)
    for table, number, parent, column, parent_column in db.execute(
        'SELECT m.name, f.id, f."table", f."from", f."to" '
        "FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
        "ORDER BY m.rowid, f.id DESC, f.seq"
    ):
        parts[table, number, parent].append((column, parent_column))
    keys: dict[str, list[ForeignKey]] = defaultdict(list)
    for (table, _, parent), pairs in parts.items():
        children = tuple(child for child, _ in pairs)
        parents = tuple(column for _, column in pairs if column is not None)
        parents = parents or primary_key.get(parent.casefold(), ())
        if len(parents) == len(children):  # SQLite accepts a declaration that it could never enforce
            keys[table].append(ForeignKey(children, parent, parents))
    return keys


def _checks(definition: str) -> tuple[str, ...]:
    """The CHECK conditions in a CREATE TABLE; none where sqlglot cannot read what SQLite could."""
    if "check" not in definition.casefold():
        return ()
    try:
        tree = sqlglot.parse_one(definition, dialect="sqlite")
    except sqlglot.errors.SqlglotError:
        return ()
    return tuple(check.this.sql(dialect="sqlite") for check in tree.find_all(exp.CheckColumnConstraint, exp.Check))
