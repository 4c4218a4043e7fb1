"""The published rules of Spider and BIRD, as pure functions of query texts and results.

Kept beside our own rule so that scores can be set beside published ones, quirks and all. Written from the rules of
Zhong et al. 2020, "Semantic Evaluation for Text-to-SQL with Distilled Test Suites" (Spider's execution accuracy and
its test suites), and Li et al. 2023, "Can LLM Already Serve as a Database Interface?" (BIRD's EX).
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sql_rl.judge.compare import Result, Row

# A string or quoted name, a comment, or the word that Spider drops; the first two so that it is not found in them.
_DISTINCT = re.compile(
    r"""('(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\] | --[^\n]* | /\*.*?\*/) | \bdistinct\b""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_THIS_YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)


def spider_text(sql: str, keep_distinct: bool = False) -> str:
    """The text that Spider's evaluator runs for a query, gold or predicted.

    Operators that tokenizers split are joined, the current year is 2020, and every DISTINCT goes, also the one of
    COUNT(DISTINCT …), unless keep_distinct.
    """
    for split, joined in (("> =", ">="), ("< =", "<="), ("! =", "!=")):
        sql = sql.replace(split, joined)
    if not keep_distinct:
        sql = strip_distinct(sql)
    return _THIS_YEAR.sub("2020", sql)


def spider_prediction(sql: str) -> str:
    """A predicted query as Spider's evaluator reads it: the word `value` stands for a literal nobody predicted."""
    return sql.replace("value", "1")


def strip_distinct(sql: str) -> str:
    """The query without any DISTINCT outside strings, quoted names and comments."""
    return _DISTINCT.sub(lambda found: found.group(1) or "", sql)


def spider(gold: Result, predicted: Result, gold_text: str) -> bool:
    """Spider's rule on one database. Its suite verdict is this on every database of the suite.

    Two empty results are equal whatever their columns. Rows count with their multiplicity, and in order if the
    gold's text holds 'order by' anywhere. Columns may stand in any order. Values are equal as Python's are: 5 is
    5.0, nothing else is forgiven.
    """
    if not gold.rows and not predicted.rows:
        return True
    if len(gold.rows) != len(predicted.rows) or gold.columns != predicted.columns:
        return False
    ordered = "order by" in gold_text.lower()
    if _equal(gold.rows, predicted.rows, ordered):
        return True
    return any(True for _ in _column_orders(gold.rows, predicted.rows, ordered))


def bird(gold: Result, predicted: Result) -> bool:
    """BIRD's EX: the same set of rows, columns as they stand."""
    return set(gold.rows) == set(predicted.rows)


def _equal(gold: Sequence[Row], predicted: Sequence[Row], ordered: bool) -> bool:
    return list(gold) == list(predicted) if ordered else Counter(gold) == Counter(predicted)


def _column_orders(
    gold: Sequence[Row], predicted: Sequence[Row], ordered: bool, chosen: tuple[int, ...] = ()
) -> Iterator[tuple[int, ...]]:
    """The orders of predicted columns that give the gold's rows, extended column by column while the rows fit."""
    width = len(chosen)
    if not _equal([row[:width] for row in gold], [tuple(row[place] for place in chosen) for row in predicted], ordered):
        return
    if width == len(gold[0]):
        yield chosen
        return
    for place in range(len(gold[0])):
        if place not in chosen:
            yield from _column_orders(gold, predicted, ordered, (*chosen, place))
