"""Query-plan style: the reasoning as numbered steps, the way a database would carry it out."""

from collections.abc import Iterator

from sqlglot import exp

from sql_rl.teachers.narrative.blocks import Block, Role
from sql_rl.teachers.narrative.changes import change
from sql_rl.teachers.narrative.clauses import SET_OPERATION, clauses, first_rows, limits, remaining
from sql_rl.teachers.narrative.linking import Link
from sql_rl.teachers.narrative.phrases import Phrases
from sql_rl.teachers.narrative.question import Question
from sql_rl.teachers.narrative.schema import Schema
from sql_rl.teachers.narrative.wording import capital, listing, sentence


def plan(question: Question, schema: Schema, phrases: Phrases, links: list[Link], blocks: tuple[Block, ...]) -> str:
    """The goal, the tables it needs, and one numbered step for each operation."""
    lines = [f"Goal: {sentence(question.text)}"]
    if tables := [_table(link) for link in links]:
        lines.append(f"Tables: {sentence('; '.join(tables))}")
    number = 0
    for block in blocks:
        if heading := _heading(block, len(blocks)):
            lines.append(heading)
        for step in _steps(block.node, phrases, schema):
            number += 1
            lines.append(f"{number}. {sentence(step)}")
    return "\n".join(lines)


def _table(link: Link) -> str:
    columns = [f"{link.column(name)} {kind}".strip() for name, kind in link.columns.items()]
    if not link.known:
        return f"{link.table} (not shown in the schema)"
    return f"{link.table} ({', '.join(columns)})" if columns else link.table


def _heading(block: Block, count: int) -> str:
    if block.role is Role.MAIN:
        return "Main query:" if count > 1 else ""
    role = f"recursive {block.role.value}" if block.recursive else block.role.value
    return f"{capital(role)} {block.title}:"


def _steps(node: exp.Expression, phrases: Phrases, schema: Schema) -> Iterator[str]:
    if isinstance(node, exp.Select):
        yield from _select_steps(node, phrases, schema)
    elif isinstance(node, exp.SetOperation):
        operator = node.key.upper() + ("" if node.args.get("distinct") else " ALL")
        yield f"{operator}: {phrases.source(node.this)} with {phrases.source(node.expression)}"
        yield from (f"Apply {phrases.sql(part)}" for part in remaining(node, SET_OPERATION))
        yield from _ordering(*limits(node, phrases))
    else:
        yield from change(node, phrases)


def _select_steps(node: exp.Select, phrases: Phrases, schema: Schema) -> Iterator[str]:
    c = clauses(node, phrases, schema)
    if c.source:
        yield f"Scan {c.source}"
    for join in c.joins:
        on = f" on {join.on}" if join.on else ""
        key = f" ({join.key})" if join.key else ""
        yield f"{join.kind.capitalize()}: {join.source}{on}{key}"
    if c.filters:
        yield f"Filter rows: {listing(c.filters)}"
    if c.groups:
        yield f"Group by {listing(c.groups)}"
    if c.having:
        yield f"Filter groups (HAVING): {listing(c.having)}"
    aggregates = "Aggregate and project" if c.aggregated else "Project"
    yield f"{aggregates}: {listing(c.outputs)}"
    if c.distinct:
        yield f"Remove duplicates ({c.distinct})"
    yield from (f"Apply {other}" for other in c.others)
    yield from _ordering(c.order, c.limit, c.offset)


def _ordering(order: str, limit: str, offset: str) -> Iterator[str]:
    if order:
        yield f"Sort by {order}"
    if limit or offset:
        yield f"Keep {first_rows(limit, offset)}"
