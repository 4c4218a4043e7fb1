"""Linking: which tables and columns a statement needs, and by which words of the question each is meant."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from sql_rl.teachers.narrative.clauses import sources
from sql_rl.teachers.narrative.question import Question, stems
from sql_rl.teachers.narrative.schema import Schema
from sql_rl.teachers.narrative.wording import quoted


@dataclass(frozen=True, slots=True)
class Link:
    """A stored table and the columns used of it.

    columns: name -> type ('' if none is declared), in the order of their first use. all_columns: every
    column that the schema gives it. joining: is it only there to
    connect others? known: is it in the schema? mentions: table or column -> the words of the question that mean it,
    where these tell more than the name itself.
    """

    table: str
    columns: dict[str, str]
    all_columns: tuple[str, ...]
    joining: bool
    known: bool
    mentions: dict[str, str]

    def column(self, name: str) -> str:
        """A column with the words of the question that point to it: 'born_state ("state of birth")'."""
        words = self.mentions.get(name)
        return f"{name} ({quoted(words)})" if words else name


def link(statement: exp.Expression, labels: Iterable[str], schema: Schema, question: Question) -> list[Link]:
    """A Link for each stored table of a statement, in the order of their first use; labels name what is no table."""
    made = {label.lower() for label in labels} | {table.name.lower() for table in _new(statement)}
    names: dict[str, str] = {}
    aliases: dict[str, str] = {}
    for table in statement.find_all(exp.Table, bfs=False):
        key = table.name.lower()
        if key and key not in made:
            names.setdefault(key, table.name)
            aliases[table.alias_or_name.lower()] = key
    columns: dict[str, dict[str, str]] = {key: {} for key in names}
    beyond_joins: set[str] = set()
    for column in statement.find_all(exp.Column, bfs=False):
        if key := _owner(column, aliases, schema):
            name, kind = schema.tables[key].columns[column.name.lower()]
            columns[key][name] = kind
            if not isinstance(column.find_ancestor(exp.Join, exp.Select, exp.Where), exp.Join):
                beyond_joins.add(key)
    tables = frozenset().union(*(stems(name) for name in names.values()))
    return [
        Link(
            table=name,
            columns=columns[key],
            all_columns=tuple(name for name, _ in schema.tables[key].columns.values()) if key in schema.tables else (),
            joining=len(columns[key]) > 1 and key not in beyond_joins and len(names) > 2,
            known=key in schema.tables,
            mentions=_mentions(name, columns[key], tables, question),
        )
        for key, name in names.items()
    ]


def _new(statement: exp.Expression) -> Iterator[exp.Table]:
    """The names that a statement brings into being: what it creates, or renames to."""
    if isinstance(statement, exp.Create) and not isinstance(statement.this, exp.Index):
        target = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
        yield from (target,) if isinstance(target, exp.Table) else ()
    yield from (rename.this for rename in statement.find_all(exp.AlterRename))


def _owner(column: exp.Column, aliases: dict[str, str], schema: Schema) -> str:
    """The table, in lower case, that a column belongs to; '' where the schema cannot tell."""
    if column.table:
        key = aliases.get(column.table.lower(), "")
        return key if schema.has_column(column.name, [key]) else ""
    select = column.find_ancestor(exp.Select, exp.Update, exp.Delete)
    near = [table.name.lower() for table in sources(select)] if select else []
    for candidates in (near, aliases.values()):
        owners = {key for key in candidates if schema.has_column(column.name, [key])}
        if owners:
            return owners.pop() if len(owners) == 1 else ""
    return ""


def _mentions(table: str, columns: Iterable[str], tables: frozenset[str], question: Question) -> dict[str, str]:
    """Leaves out what is plain: words that spell the name, and columns meant by no more than their table's name."""
    mentions = {}
    for name in (table, *columns):
        words = question.mention(name)
        said = stems(words)
        if said and said != stems(name) and not (name != table and said <= tables):
            mentions[name] = words
    return mentions
