"""Linking: which tables and columns a statement needs, and by which words of the question each is meant."""

from dataclasses import dataclass

from sqlglot import exp

from sql_rl.teachers.narrative.blocks import Block
from sql_rl.teachers.narrative.clauses import sources
from sql_rl.teachers.narrative.question import Question
from sql_rl.teachers.narrative.schema import Schema
from sql_rl.teachers.narrative.wording import quoted


@dataclass(frozen=True, slots=True)
class Link:
    """One table and the columns used of it, each as (name, type or ''). known: is it in the schema?

    mentions: table or column name -> the words of the question that mean it, where they are not the name itself.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    known: bool
    mentions: dict[str, str]

    def column(self, name: str) -> str:
        """A column with the words of the question that point to it: 'born_state ("state of birth")'."""
        words = self.mentions.get(name)
        return f"{name} ({quoted(words)})" if words else name


def link(blocks: tuple[Block, ...], schema: Schema, question: Question) -> list[Link]:
    """A Link for each stored table that the blocks read, in the order of their first use."""
    made = {block.label.lower() for block in blocks if block.label}
    names: dict[str, str] = {}
    columns: dict[str, dict[str, tuple[str, str]]] = {}
    for block in blocks:
        scope = {}
        for table in block.node.find_all(exp.Table):
            if table.name and table.name.lower() not in made:
                names.setdefault(table.name.lower(), table.name)
                scope[table.alias_or_name.lower()] = table.name.lower()
        local = {table.name.lower() for table in sources(block.node)}
        for column in block.node.find_all(exp.Column):
            owner = _owner(column, scope, local, schema)
            if owner:
                found = schema.tables[owner].columns[column.name.lower()]
                columns.setdefault(owner, {})[column.name.lower()] = found
    links = []
    for key, name in names.items():
        used = tuple(columns.get(key, {}).values())
        words = {part: question.mention(part) for part in (name, *(column for column, _ in used))}
        mentions = {part: said for part, said in words.items() if said and said.lower() != part.lower()}
        links.append(Link(name, used, key in schema.tables, mentions))
    return links


def _owner(column: exp.Column, scope: dict[str, str], local: set[str], schema: Schema) -> str:
    """The table, in lower case, that a column belongs to; '' where the schema cannot tell."""
    if column.table:
        candidates = [scope.get(column.table.lower(), "")]
    else:
        candidates = [*dict.fromkeys([*local, *scope.values()])]
    owners = [name for name in candidates if schema.has_column(column.name, [name])]
    if not column.table and len(owners) > 1:
        owners = [name for name in owners if name in local] if len(set(owners) & local) == 1 else []
    return owners[0] if owners else ""
