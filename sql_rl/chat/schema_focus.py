"""Which tables is a question about? For databases whose schema would not fit into a prompt. Pure.

A table counts by the words that its name and its columns share with the question, rare words for more (inverse
document frequency), and a little by its neighbours along foreign keys, so that the tables that link two others come
along.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sql_rl.chat.databases.base import Table

NAME, COLUMN = 3.0, 1.0  # a shared word counts by where it stands
NEIGHBOUR = 0.3  # of the scores of the best two tables next to it
_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # of camelCase, HTTPStatus
# Words of questions, not of what they are about.
_IDLE = frozenset(
    {
        "a", "all", "an", "and", "any", "are", "at", "be", "by", "count", "did", "do", "does", "each", "every", "find",
        "for", "from", "get", "give", "had", "has", "have", "how", "in", "is", "it", "its", "list", "many", "me",
        "much", "name", "number", "of", "on", "or", "per", "show", "tell", "than", "that", "the", "their", "there",
        "these", "they", "this", "to", "total", "was", "were", "what", "when", "where", "which", "who", "whose", "with",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Focus:
    """The tables for a prompt, in the order of the schema. left_out: how many were left out of it."""

    tables: tuple[Table, ...]
    left_out: int

    @property
    def context(self) -> str:
        """Their definitions, as a prompt has them."""
        return "\n\n".join(table.definition for table in self.tables)


def focus(question: str, tables: Sequence[Table], characters: int) -> Focus:
    """All tables where their definitions fit into so many characters, else those that the question is about.

    No tables at all where not one of them fits.
    """
    sizes = [len(table.definition) + 2 for table in tables]
    if sum(sizes) <= characters:
        return Focus(tuple(tables), 0)
    scores = _scores(question, tables)
    wanted = [place for place in range(len(tables)) if scores[place] > 0] or list(range(len(tables)))
    chosen: set[int] = set()
    for place in sorted(wanted, key=lambda place: -scores[place]):
        if sizes[place] <= characters:
            chosen.add(place)
            characters -= sizes[place]
    return Focus(tuple(tables[place] for place in sorted(chosen)), len(tables) - len(chosen))


def _scores(question: str, tables: Sequence[Table]) -> list[float]:
    """A score for each table, 0 for those that the question has nothing to do with."""
    asked = words(question) - _IDLE
    names = [words(table.name) for table in tables]
    columns = [words(" ".join(table.columns)) - name for table, name in zip(tables, names, strict=True)]
    held = Counter(word for name, column in zip(names, columns, strict=True) for word in name | column)
    rarity = {word: math.log(1 + len(tables) / count) for word, count in held.items()}
    own = [
        NAME * sum(rarity[word] for word in asked & name) + COLUMN * sum(rarity[word] for word in asked & column)
        for name, column in zip(names, columns, strict=True)
    ]
    place_of = {table.name: place for place, table in enumerate(tables)}
    neighbours: list[set[int]] = [set() for _ in tables]
    for place, table in enumerate(tables):
        for parent in (place_of[name] for name in table.references if name in place_of):
            neighbours[place].add(parent)
            neighbours[parent].add(place)
    return [
        score + NEIGHBOUR * sum(sorted((own[place] for place in beside), reverse=True)[:2])
        for score, beside in zip(own, neighbours, strict=True)
    ]


def words(text: str) -> frozenset[str]:
    """The words of a question or a name (snake_case, camelCase), without the endings of plurals."""
    return frozenset(_stem(word.casefold()) for word in _WORD.findall(_HUMP.sub(" ", text)))


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
