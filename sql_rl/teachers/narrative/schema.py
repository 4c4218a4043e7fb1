"""Schema: the tables a context creates, with their columns, types and keys, read without parsing its rows.

A context is a dump in any SQL flavour: CREATE statements among, often, thousands of INSERTs. Only the CREATE TABLE
statements are looked at, by scanning their parentheses, so a 24 kB dump costs a few hundred microseconds and an
unknown type or table option does no harm. What cannot be read is left out: a schema is for explaining a query,
and an incomplete one makes the explanation shorter, never wrong.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_QUOTED = r'"[^"]+"|`[^`]+`|\[[^\]]+\]'
_PART = rf"(?:{_QUOTED}|[^\s(\"`\[.]+)"
_CREATE = re.compile(
    r"\bCREATE\s+(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY)\s+)*TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"({_PART}(?:\s*\.\s*{_PART})*)\s*\(",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"--[^\n]*")
_NAME = re.compile(rf"({_QUOTED}|[^\s(,]+)")
_TYPE = re.compile(r"\s*([A-Za-z_]\w*)")
_NAME_LIST = r"\(([^)]*)\)"
_PRIMARY = re.compile(rf"\bPRIMARY\s+KEY\s*(?:CLUSTERED\s*)?{_NAME_LIST}", re.IGNORECASE)
_FOREIGN = re.compile(
    rf"\bFOREIGN\s+KEY\s*{_NAME_LIST}\s*REFERENCES\s+((?:{_QUOTED}|\w|\.)+)\s*(?:{_NAME_LIST})?", re.IGNORECASE
)
_REFERENCES = re.compile(rf"\bREFERENCES\s+((?:{_QUOTED}|\w|\.)+)\s*(?:{_NAME_LIST})?", re.IGNORECASE)
_INLINE_PRIMARY = re.compile(r"\bPRIMARY\s+KEY\b", re.IGNORECASE)
_CONSTRAINT = re.compile(r"(?:CONSTRAINT|PRIMARY\s+KEY|FOREIGN\s+KEY|UNIQUE|CHECK|KEY|INDEX|EXCLUDE)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of the owning table refer to `parent_columns` of `parent` (empty: its primary key)."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table as it was created; `columns` maps each name in lower case to (name as written, type or '')."""

    name: str
    columns: dict[str, tuple[str, str]]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a context, by their unqualified name in lower case."""

    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, name: str) -> Table | None:
        return self.tables.get(name.lower())

    def has_column(self, column: str, tables: Iterable[str]) -> bool:
        return any((t := self.table(name)) is not None and column.lower() in t.columns for name in tables)

    def reference(self, child: str, column: str, parent: str, parent_column: str) -> bool:
        """Does child.column refer to parent.parent_column by a declared foreign key?"""
        owner, target = self.table(child), self.table(parent)
        if owner is None or target is None:
            return False
        pair = (column.lower(), parent_column.lower())
        for key in owner.foreign_keys:
            targets = key.parent_columns or target.primary_key
            pairs = {(a.lower(), b.lower()) for a, b in zip(key.columns, targets, strict=False)}
            if key.parent.lower() == target.name.lower() and pair in pairs:
                return True
        return False


@lru_cache(maxsize=256)
def read_schema(context: str) -> Schema:
    """The schema in a context's CREATE TABLE statements; an empty one where there are none."""
    tables = {}
    for match in _CREATE.finditer(context):
        table = _table(_bare(match[1]), _items(context, match.end()))
        tables.setdefault(table.name.lower(), table)
    return Schema(tables)


def _table(name: str, items: Iterator[str]) -> Table:
    columns: dict[str, tuple[str, str]] = {}
    primary: tuple[str, ...] = ()
    foreign: list[ForeignKey] = []
    for item in items:
        if _CONSTRAINT.match(item):
            if key := _PRIMARY.search(item):
                primary = _names(key[1])
            if key := _FOREIGN.search(item):
                foreign.append(ForeignKey(_names(key[1]), _bare(key[2]), _names(key[3] or "")))
            continue
        if not (head := _NAME.match(item)):
            continue
        column = _bare(head[1])
        kind = _TYPE.match(item, head.end())
        columns[column.lower()] = (column, kind[1].lower() if kind else "")
        if _INLINE_PRIMARY.search(item, head.end()):
            primary = (column,)
        if key := _REFERENCES.search(item, head.end()):
            foreign.append(ForeignKey((column,), _bare(key[1]), _names(key[2] or "")))
    return Table(name, columns, primary, tuple(foreign))


def _items(text: str, start: int) -> Iterator[str]:
    """The comma-separated items of a parenthesis whose inside begins at `start`; quotes and nesting respected."""
    depth, begin, position = 1, start, start
    text = _COMMENT.sub(lambda comment: " " * len(comment[0]), text) if "--" in text else text
    while position < len(text):
        char = text[position]
        if char in "'\"`":
            closing = text.find(char, position + 1)
            position = len(text) if closing < 0 else closing
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                break
        elif char == "," and depth == 1:
            yield text[begin:position].strip()
            begin = position + 1
        position += 1
    yield text[begin:position].strip()


def _bare(name: str) -> str:
    """The last part of a name, without quotes: `"shop"."Orders"` is Orders."""
    if name[-1:] in '"`]':
        opening = {"]": "["}.get(name[-1], name[-1])
        return name[name.rfind(opening, 0, -1) + 1 : -1]
    return name.rsplit(".", 1)[-1]


def _names(text: str) -> tuple[str, ...]:
    return tuple(_bare(name.strip()) for name in text.split(",") if name.strip())
