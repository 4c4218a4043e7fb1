"""Rows about the same database come together, all of them, within what is looked ahead."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from sql_rl.distill.order import by_context
from sql_rl.examples import Example


def examples(contexts: str) -> list[Example]:
    return [Example(row=n, id=str(n), question="", context=c, gold="") for n, c in enumerate(contexts)]


@pytest.mark.parametrize(
    ("contexts", "ahead", "wanted"),
    [
        ("", 4, []),
        ("abcd", 4, [0, 1, 2, 3]),
        ("abab", 4, [0, 2, 1, 3]),
        ("abcabc", 3, [0, 1, 2, 3, 4, 5]),  # each is just out of the other's sight
        ("abcabc", 4, [0, 3, 1, 4, 2, 5]),
        ("aaabaa", 2, [0, 1, 2, 3, 4, 5]),
        ("abbbba", 6, [0, 5, 1, 2, 3, 4]),
        ("abab", 1, [0, 1, 2, 3]),
    ],
)
def test_the_order(contexts: str, ahead: int, wanted: list[int]):
    assert [e.row for e in by_context(examples(contexts), ahead)] == wanted


def test_the_same_text_over_another_database_is_another_context():
    one, other = Path("one.sqlite"), Path("other.sqlite")
    rows = [Example(n, str(n), "", "", "", database=d) for n, d in enumerate([one, other, one])]
    assert [e.row for e in by_context(rows)] == [0, 2, 1]


def test_it_reads_no_further_than_it_looks():
    read = 0

    def endless() -> Iterator[Example]:
        nonlocal read
        while True:
            yield Example(row=read, id="", question="", context=str(read % 7), gold="")
            read += 1

    seen = [e.row for e in islice(by_context(endless(), 50), 10_000)]
    assert len(set(seen)) == 10_000
    assert read <= max(seen) + 50
    assert max(seen) < 10_000 + 50
