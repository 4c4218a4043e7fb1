"""The rows of a report: which of many are shown, and how they travel in the page. Pure.

A page stays light whatever the run: the rows that matter most come first, the others evenly over the run, until the
page is full. They are JSON, compressed and in base64, unpacked by the browser itself.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

# Of the rows as JSON: 20,000 rows of the usual size would be 60 MB, and half of that is read in a second.
MOST_CHARACTERS = 24_000_000
# Of the page: base64 adds a third to what does not compress.
MOST_PACKED = 18_000_000
LONGEST_TEXT = 12_000  # characters of a schema, a query or a reasoning


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a row as it is shown. key: in the row. half: it stands beside its neighbour where there is room.

    kind: prose; sql (highlighted); result (columns and rows, or an error); shared (an index into `texts`, SQL).
    """

    key: str
    label: str
    kind: Literal["prose", "sql", "result", "shared"] = "prose"
    half: bool = False


@dataclass(frozen=True, slots=True)
class Browser:
    """The part of a page where rows are looked through. note: how they were chosen. packed: base64 of gzip of JSON."""

    title: str
    note: str
    filters: Sequence[tuple[str, str]]
    packed: str


def clipped(text: Any, longest: int = LONGEST_TEXT) -> str:
    """A text of at most so many characters, which says so where it was cut; '' for None."""
    text = "" if text is None else str(text)
    return text if len(text) <= longest else f"{text[:longest]}\n… ({len(text) - longest:,} more characters)"


def evenly(count: int, wanted: int) -> list[int]:
    """`wanted` of the positions 0 to count - 1, evenly spread; all of them where there are no more."""
    return list(range(count)) if wanted >= count else [i * count // wanted for i in range(wanted)]


class Texts:
    """Texts that many rows share, each kept once. all: in the order of their numbers."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        if (number := self._numbers.get(text)) is None:
            number = self._numbers[text] = len(self.all)
            self.all.append(clipped(text))
        return number


def browser(
    title: str,
    noun: str,
    total: int,
    fields: Sequence[Field],
    filters: Sequence[tuple[str, str]],
    rows: Sequence[dict[str, Any]],
    order: str,
    texts: Sequence[str] = (),
) -> Browser:
    """The rows, as many as fit. total: how many there are in the run. order: how those given here were chosen.

    A row's `title` and `tag` head it; `filters` (key and label) are the keys that it can be chosen by.
    """
    shown, packed = _fitting(fields, filters, rows, texts)
    everything = f"All {total:,} {noun}." if shown == total else f"{shown:,} of {total:,} {noun} are shown: {order}."
    return Browser(title, everything, filters, packed)


def _fitting(
    fields: Sequence[Field], filters: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]], texts: Sequence[str]
) -> tuple[int, str]:
    head = {
        "fields": [{"key": f.key, "label": f.label, "kind": f.kind, "half": f.half} for f in fields],
        "filters": [key for key, _ in filters],
    }
    shared = {f.key for f in fields if f.kind == "shared"}
    sizes = _sizes(rows, shared, texts)
    shown = next((n for n, size in enumerate(sizes) if size > MOST_CHARACTERS), len(rows))
    while True:
        kept = rows[:shown]
        used = {row[key] for row in kept for key in shared}
        content = {**head, "texts": [t if n in used else "" for n, t in enumerate(texts)], "rows": kept}
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        packed = base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
        if len(packed) <= MOST_PACKED or not shown:
            return shown, packed
        shown = shown * MOST_PACKED // len(packed) * 9 // 10


def _sizes(rows: Sequence[dict[str, Any]], shared: set[str], texts: Sequence[str]) -> Iterable[int]:
    """The characters of the first so many rows, with the shared texts that they need."""
    size, seen = 0, set()
    for row in rows:
        size += len(json.dumps(row, ensure_ascii=False))
        for number in {row[key] for key in shared} - seen:
            seen.add(number)
            size += len(texts[number])
        yield size
