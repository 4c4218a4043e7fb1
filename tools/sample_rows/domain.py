"""Domains: the text files in `domains/`, read into tables and asks.

    bike sharing                                  the name
    Stations, bikes and rides of a city scheme.   what it is about, one line
    dialect mysql                                 sqlite, mysql, postgres or tsql

    table stations 6                              a table and how many rows it gets
    station_id INT key                            column, type, how values are drawn (`draw.py`)
    name TEXT distinct Quay, Market, Park
    opened DATE opt date 2015-01-01 2020-12-31    `opt`: a quarter of the values are NULL

    ? Which stations opened in {year}?            an ask: one question, or several phrasings of it …
    = SELECT name FROM stations                   … and its query, over as many lines as it takes
    = WHERE YEAR(opened) = {year:stations.opened@year}

A slot `{name:source}` is drawn where it is first written in the query, and repeated as `{name}` in query and question.
Sources: `table.column` (a value that is there), with @year, @month or @word for a part of it; `2-4` (a whole number);
`a|b|c` (one of these). Slots lo and hi come out in order. An ask with an edit, `~ sql old => new` or `~ context old =>
new`, is broken on purpose: it is drawn, proved and labelled as if it were sound, and edited at the very end.
"""

from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "domains"


@dataclass(frozen=True, slots=True)
class Column:
    """maker and arguments say how its values are drawn; optional: may they be NULL?"""

    name: str
    type: str
    maker: str
    arguments: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    rows: int
    columns: tuple[Column, ...]

    @property
    def parents(self) -> list[str]:
        """The tables it refers to, other than itself."""
        return [c.arguments for c in self.columns if c.maker == "ref" and c.arguments != self.name]


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to ask: its phrasings and its query, both with slots; edits, each (column, old, new), break it."""

    questions: tuple[str, ...]
    query: str
    edits: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Domain:
    name: str
    about: str
    dialect: str
    tables: dict[str, Table] = field(default_factory=dict)
    asks: tuple[Ask, ...] = ()


def read_domains() -> list[Domain]:
    """All domains, in the order of their file names."""
    return [_parse(path.read_text(encoding="utf-8"), path) for path in sorted(FOLDER.glob("*.txt"))]


def _parse(text: str, path: Path) -> Domain:
    header, *paragraphs = text.strip().split("\n\n")
    name, about, dialect = header.splitlines()
    tables: dict[str, Table] = {}
    asks = []
    for paragraph in paragraphs:
        lines = paragraph.splitlines()
        if lines[0].startswith("table "):
            table = _table(lines)
            tables[table.name] = table
        else:
            asks.append(_ask(lines, path))
    return Domain(name, about, dialect.removeprefix("dialect "), tables, tuple(asks))


def _table(lines: list[str]) -> Table:
    _, name, rows = lines[0].split()
    columns = []
    for line in lines[1:]:
        column, kind, *how = line.split()
        optional = how[0] == "opt"
        maker, *arguments = how[optional:]
        columns.append(Column(column, kind, maker, " ".join(arguments), optional))
    return Table(name, int(rows), tuple(columns))


def _ask(lines: list[str], path: Path) -> Ask:
    marked: dict[str, list[str]] = {"?": [], "=": [], "~": []}
    for line in lines:
        if line[:2] not in ("? ", "= ", "~ "):
            raise ValueError(f"{path.name}: a line of an ask begins with ?, = or ~, not {line!r}")
        marked[line[0]].append(line[2:])
    edits = []
    for edit in marked["~"]:
        target, _, change = edit.partition(" ")
        old, _, new = change.partition(" => ")
        edits.append(({"sql": "sql", "context": "sql_context"}[target], old, new))
    return Ask(tuple(marked["?"]), " ".join(marked["="]), tuple(edits))
