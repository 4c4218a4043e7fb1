"""What the judge tells besides verdicts: scores, votes, results, and the audit of a gold. Types only.

They are made in the workers and read where no database is: nothing but the standard library is imported here.
"""

from dataclasses import dataclass
from typing import Any

from sql_rl.judge.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Scores:
    """One prediction under the rules that benchmarks publish, and under ours.

    spider: execution accuracy as Spider's evaluator counts it by default, DISTINCT stripped from both queries;
    spider_keep_distinct: the same without stripping; bird: BIRD's EX, equal sets of rows; strict: our rule on the
    given database; spider_suite: Spider's rule on the given database and on every variant where the gold is
    determined; suite: our verdict, `match`. error: why the prediction has no result, '' if it has one.
    """

    spider: bool
    spider_keep_distinct: bool
    bird: bool
    strict: bool
    spider_suite: bool
    suite: bool
    error: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Vote:
    """Where one of several queries stands. group: queries with equal numbers give the same answer on the given
    database and on all variants; None if it gave none, for the reason in `error`. empty: no rows on the given one."""

    group: int | None
    empty: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A query's result on the given database. cut: there were more rows. error: '' if it has a result.

    Blobs are dicts {"blob": hexadecimal digits}.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    cut: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class GoldAudit:
    """What is known of an example's gold.

    broken: why it or its context cannot run, '' if they can; the rest then tells nothing. reads: it is a query,
    False: it changes data. rows: of its result on the given data, None where it changes data. non_deterministic: on
    the given data another answer would be as right (ties at a LIMIT, bare columns of a group, …). empty: no rows on
    the given data, or no change. constant: the same answer on the given data and all variants. not_separable: why
    variants cannot tell it from a lucky query, '' if they can. dialect, rewrites: how it was read. problems:
    statements of the context that could not be run, a line each.
    """

    broken: str = ""
    reads: bool = True
    rows: int | None = None
    non_deterministic: bool = False
    empty: bool = False
    constant: bool = False
    not_separable: str = ""
    dialect: str = ""
    rewrites: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
