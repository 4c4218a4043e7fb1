"""Blocks: a statement unfolded into the results it is built from, in the order in which a person would work them out.

A common table expression, a derived table, a branch of a set operation and every subquery too large for half a
sentence becomes a block of its own, ahead of the block that needs it. The statement itself is the last block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from sqlglot import exp


class Role(StrEnum):
    """How a block's result is used."""

    MAIN = "main"
    CTE = "common table expression"
    DERIVED = "derived table"
    SUBQUERY = "subquery"
    BRANCH = "branch"
    BODY = "inner query"


@dataclass(frozen=True, slots=True)
class Block:
    """One result.

    node: a Select, a SetOperation, or the statement itself; label: what later blocks call it; columns: new names for
    its columns, as in `WITH chain (id, depth) AS …`. recursive: does it refer to itself? part_of: the named result
    that a branch belongs to, '' where there is none.
    """

    node: exp.Expression
    role: Role
    label: str
    recursive: bool = False
    part_of: str = ""
    columns: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The label with the columns it is given: 'chain (id, depth)'."""
        return f"{self.label} ({', '.join(self.columns)})" if self.columns else self.label


@dataclass(frozen=True, slots=True)
class Unfolded:
    """The blocks of a statement, and the label of each unfolded query by the identity of its node."""

    blocks: tuple[Block, ...]
    labels: dict[int, str]


def unfold(statement: exp.Expression) -> Unfolded:
    """Unfolds a parsed statement. The tree must stay alive and unchanged as long as the result is in use."""
    labels: dict[int, str] = {}
    numbers = count(1)

    def visit(
        node: exp.Expression, role: Role, holder: exp.Expression | None = None, part_of: str = ""
    ) -> Iterator[Block]:
        given = holder.alias if holder is not None else ""
        columns = tuple(holder.alias_column_names) if holder is not None else ()
        recursive = isinstance(holder, exp.CTE) and bool(holder.parent.args.get("recursive"))
        if with_ := node.args.get("with_"):
            for cte in with_.expressions:
                yield from visit(inner(cte.this), Role.CTE, cte)
        if isinstance(node, exp.SetOperation):
            for branch in (node.this, node.expression):
                yield from visit(inner(branch), Role.BRANCH, part_of=given or part_of)
        else:
            for query in direct_queries(node):
                wrapper = query.parent
                if isinstance(wrapper, exp.Subquery) and isinstance(wrapper.parent, exp.From | exp.Join):
                    yield from visit(query, Role.DERIVED, wrapper)
                elif inner(node.args.get("expression") or node) is query:
                    yield from visit(query, Role.BODY)
                elif not is_small(query):
                    yield from visit(query, Role.SUBQUERY)
        label = "" if role is Role.MAIN else given or f"result {next(numbers)}"
        if label:
            labels[id(node)] = label
        yield Block(node, role, label, recursive, part_of, columns)

    return Unfolded(tuple(visit(inner(statement), Role.MAIN)), labels)


def inner(node: exp.Expression) -> exp.Expression:
    """The query inside its parentheses, unless they carry a clause of their own, as in `(SELECT …) LIMIT 1`."""
    while isinstance(node, exp.Subquery) and not any(
        value for key, value in node.args.items() if key not in ("this", "alias")
    ):
        node = node.this
    return node


def direct_queries(node: exp.Expression) -> list[exp.Expression]:
    """The queries inside a node that are not inside another of them; its CTEs are left out."""
    with_ = node.args.get("with_")

    def stop(child: exp.Expression) -> bool:
        return child is with_ or (child is not node and is_query(child))

    return [child for child in node.walk(bfs=False, prune=stop) if child is not node and is_query(child)]


def is_query(node: exp.Expression) -> bool:
    return isinstance(node, exp.Select | exp.SetOperation)


def is_small(query: exp.Expression) -> bool:
    """Can it be told within a sentence? One table, one output, conditions without further queries."""
    if not isinstance(query, exp.Select) or len(query.expressions) != 1 or direct_queries(query):
        return False
    used = {key for key, value in query.args.items() if value}
    source = query.args.get("from_")
    plain = source is not None and isinstance(source.this, exp.Table)
    return plain and used <= {"expressions", "from_", "where", "distinct", "kind"}
