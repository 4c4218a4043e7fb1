"""Drawing: the rows of a domain's tables, the statements that create them, and the values of an ask's slots."""

import re
from collections.abc import Set
from datetime import date, timedelta
from random import Random

from sample_rows.domain import Ask, Column, Domain, Table

Value = str | int | float | None
Rows = dict[str, list[dict[str, Value]]]

_GIVEN = [
    *("Ada", "Amir", "Bea", "Carlo", "Dalia", "Emeka", "Freya", "Goran", "Hana", "Idris", "Jana", "Kofi", "Lena"),
    *("Mateo", "Nadia", "Oskar", "Priya", "Quinn", "Rosa", "Samir", "Tilda", "Umar", "Vera", "Wanda", "Yusuf"),
]
_FAMILY = [
    *("Abebe", "Berg", "Castillo", "Dahl", "Eriksen", "Farah", "Grant", "Hoang", "Ivanova", "Jensen", "Keller"),
    *("Lindqvist", "Moreau", "Nakata", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Usman", "Vargas", "Weber"),
]
_MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
]
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MONTH = re.compile(r"\d{4}-\d\d")
_SLOT = re.compile(r"\{(\w+)(?::([^}]+))?\}")
_TYPES = {
    "sqlite": {"TEXT": "TEXT", "DECIMAL": "REAL", "BOOLEAN": "INTEGER", "INT": "INTEGER"},
    "mysql": {"TEXT": "VARCHAR(80)", "DECIMAL": "DECIMAL(10,2)", "BOOLEAN": "TINYINT(1)"},
    "postgres": {"TEXT": "VARCHAR(80)", "DECIMAL": "NUMERIC(10,2)", "BOOLEAN": "SMALLINT"},
    "tsql": {"TEXT": "NVARCHAR(80)", "DECIMAL": "DECIMAL(10,2)", "BOOLEAN": "BIT"},
}
_KEYS = {"mysql": "INT AUTO_INCREMENT PRIMARY KEY", "postgres": "SERIAL PRIMARY KEY", "tsql": "INT PRIMARY KEY"}


def draw_rows(domain: Domain, rng: Random) -> Rows:
    """Rows for every table; a table's parents stand before it in its file."""
    rows: Rows = {}
    for table in domain.tables.values():
        columns = {}
        for column in table.columns:
            columns[column.name] = _values(column, table, rows, columns, rng)
        rows[table.name] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows


def _values(column: Column, table: Table, rows: Rows, before: dict[str, list[Value]], rng: Random) -> list[Value]:
    count, words = table.rows, column.arguments
    match column.maker:
        case "key":
            values = list(range(1, count + 1))
        case "person":
            given, family = rng.sample(_GIVEN, count), rng.sample(_FAMILY, count)
            values = [f"{first} {last}" for first, last in zip(given, family, strict=True)]
        case "distinct":
            values = rng.sample(_listed(words, column), count)
        case "any":
            choices = _listed(words, column)
            values = [rng.choice(choices) for _ in range(count)]
        case "whole":
            low, high = map(int, words.split())
            values = rng.sample(range(low, high + 1), count)
        case "money":
            low, high = map(int, words.split())
            values = [cents / 100 for cents in rng.sample(range(low * 100, high * 100, 5), count)]
        case "date":
            first, last = map(date.fromisoformat, words.split())
            days = rng.sample(range((last - first).days + 1), count)
            values = [str(first + timedelta(day)) for day in days]
        case "later":
            other, low, high = words.split()
            values = [
                day and str(date.fromisoformat(day) + timedelta(rng.randint(int(low), int(high))))
                for day in before[other]
            ]
        case "ref":
            values = _references(words, table, rows, rng)
        case unknown:
            raise ValueError(f"{table.name}.{column.name}: no maker {unknown!r}")
    if column.optional:
        for place in rng.sample(range(count), max(1, count // 4)):
            values[place] = None
    return values


def _references(parent: str, table: Table, rows: Rows, rng: Random) -> list[Value]:
    """Keys of the parent; of the table's own earlier rows where it refers to itself, the first one to none."""
    if parent == table.name:
        return [None, *(rng.randint(1, max(1, place // 2)) for place in range(1, table.rows))]
    keys = [next(iter(row.values())) for row in rows[parent]]
    return [rng.choice(keys) for _ in range(table.rows)]


def _listed(words: str, column: Column) -> list[Value]:
    items = [item.strip() for item in words.split(",")]
    return items if column.type == "TEXT" else [float(i) if "." in i else int(i) for i in items]


def create_statements(domain: Domain, rows: Rows, wanted: Set[str], rng: Random) -> str:
    """CREATE and INSERT statements in the domain's dialect: the wanted tables, what they refer to, at times another.

    Where none of the domain's tables is wanted, as for a CREATE TABLE, its first one stands for the database.
    """
    needed = wanted & set(domain.tables) or {next(iter(domain.tables))}
    spare = sorted(set(domain.tables) - needed)
    if spare and rng.random() < 0.3:
        needed.add(rng.choice(spare))
    while more := {parent for name in needed for parent in domain.tables[name].parents} - needed:
        needed |= more
    statements = []
    for table in domain.tables.values():
        if table.name in needed:
            statements += [_create(table, domain), _insert(table, domain, rows[table.name])]
    return "\n".join(statements)


def _create(table: Table, domain: Domain) -> str:
    dialect, parts = domain.dialect, []
    for column in table.columns:
        kind = _TYPES[dialect].get(column.type, column.type)
        if column.maker == "key":
            kind = _KEYS.get(dialect, f"{kind} PRIMARY KEY")
        if column.maker == "ref":
            key = domain.tables[column.arguments].columns[0].name
            kind += f" REFERENCES {_name(column.arguments, dialect)}({_name(key, dialect)})"
        parts.append(f"{_name(column.name, dialect)} {kind}")
    return f"CREATE TABLE {_name(table.name, dialect)} ({', '.join(parts)});"


def _insert(table: Table, domain: Domain, rows: list[dict[str, Value]]) -> str:
    names = ", ".join(_name(column.name, domain.dialect) for column in table.columns)
    tuples = ", ".join(f"({', '.join(_literal(value) for value in row.values())})" for row in rows)
    return f"INSERT INTO {_name(table.name, domain.dialect)} ({names}) VALUES {tuples};"


def _name(name: str, dialect: str) -> str:
    return {"mysql": f"`{name}`", "tsql": f"[{name}]"}.get(dialect, name)


def _literal(value: Value) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else f"{value:g}"


def fill(ask: Ask, rows: Rows, rng: Random) -> tuple[str, str]:
    """(question, query) with every slot drawn."""
    sources = {name: source for name, source in _SLOT.findall(ask.query) if source}
    slots = {name: _slot(source, rows, rng) for name, source in sources.items()}
    while "lo" in slots and slots["lo"] == slots["hi"]:
        slots["hi"] = _slot(sources["hi"], rows, rng)
    if "lo" in slots:
        slots["lo"], slots["hi"] = sorted((slots["lo"], slots["hi"]), key=lambda v: (len(v), v))
    query = _SLOT.sub(lambda slot: slots[slot[1]], ask.query)
    question = _SLOT.sub(lambda slot: _spoken(slots[slot[1]]), rng.choice(ask.questions))
    return question, query


def _slot(source: str, rows: Rows, rng: Random) -> str:
    if "|" in source:
        return rng.choice(source.split("|"))
    if bounds := re.fullmatch(r"(\d+)-(\d+)", source):
        return str(rng.randint(int(bounds[1]), int(bounds[2])))
    place, _, part = source.partition("@")
    table, column = place.split(".")
    value = rng.choice([row[column] for row in rows[table] if row[column] is not None])
    text = value if isinstance(value, str) else f"{value:g}"
    if part == "word":
        return rng.choice([word for word in text.split() if len(word) > 2])
    return {"year": text[:4], "month": text[:7]}.get(part, text)


def _spoken(value: str) -> str:
    """A value as a question has it: 2023-05-14 is 14 May 2023."""
    if _DATE.fullmatch(value):
        return f"{int(value[8:])} {_MONTHS[int(value[5:7]) - 1]} {value[:4]}"
    if _MONTH.fullmatch(value):
        return f"{_MONTHS[int(value[5:]) - 1]} {value[:4]}"
    return value
