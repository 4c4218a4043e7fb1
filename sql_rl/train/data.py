"""Rows to train on: what a student is asked, and, where something is to be imitated, what it should answer. Pure.

Three layouts are told apart by their columns: what `distill` writes (messages, reason), what the original of this idea
published (generation, validation), and plain rows with a question, a context and a gold. The first two teach by
imitation where they are accepted; all of them can be asked in GRPO, which needs the gold only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from sql_rl.answers import parse
from sql_rl.examples import Example
from sql_rl.judge.verdict import Verdict
from sql_rl.prompts import Message, Prompts, completion


@dataclass(frozen=True, slots=True)
class Row:
    """One question to train on. prompt: system and user message. answer: the text to imitate, None where there is
    none that was accepted."""

    example: Example
    prompt: tuple[Message, ...]
    answer: str | None = None

    @property
    def question(self) -> str:
        return " ".join(self.example.question.split()).casefold()

    @property
    def database(self) -> str:
        return self.example.context.strip() or str(self.example.database)


def read(example: Example, prompts: Prompts) -> Row | None:
    """The Row of an example; None for a distilled row whose gold was found broken: nothing can be learned from it."""
    source = example.source
    if source.get("verdict") == Verdict.GOLD_BROKEN:
        return None
    if source.get("messages"):
        *asked, last = ({"role": m["role"], "content": m["content"]} for m in source["messages"])
        if last["role"] != "assistant":
            return Row(example, (*asked, last))
        return Row(example, tuple(asked), last["content"] if not source.get("reason") else None)
    prompt = tuple(prompts.draft(example))
    if source.get("generation") and source.get("validation") == "valid":
        answer = parse(source["generation"])
        if answer.sql:
            return Row(example, prompt, completion(answer.reasoning, answer.sql))
    return Row(example, prompt)


def hold_back(rows: Sequence[Row], count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """(to learn, held back): about `count` rows, at most a fifth, such that no question and no database is in both.

    Rows that share a question or a database stay together. Nothing is held back where all of them hang together.
    """
    most = min(count, len(rows) // 5)
    groups = _connected(rows)
    Random(seed).shuffle(groups)
    held: set[int] = set()
    for group in groups:
        if len(held) + len(group) <= most:
            held.update(group)
    return [r for i, r in enumerate(rows) if i not in held], [rows[i] for i in sorted(held)]


def without(rows: Iterable[Row], others: Iterable[Row]) -> list[Row]:
    """The rows that ask no question of `others` on the same database: what is measured on is not learned."""
    known = {(r.question, r.database) for r in others}
    return [r for r in rows if (r.question, r.database) not in known]


def _connected(rows: Sequence[Row]) -> list[list[int]]:
    """The positions of rows in groups that share no question and no database with one another."""
    group_of: dict[tuple[str, str], int] = {}
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, row in enumerate(rows):
        for key in (("question", row.question), ("database", row.database)):
            parent[root(i)] = root(group_of.setdefault(key, i))
    groups: dict[int, list[int]] = {}
    for i in range(len(rows)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())
