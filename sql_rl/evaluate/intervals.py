"""How sure is a score? Pure: counts in, 95 % intervals and p-values out; the same numbers give the same answer.

One proportion: Wilson's score interval. Two systems on the same questions: the difference of their proportions with
Newcombe's interval for paired data, and McNemar's exact test. None of them breaks at 0 or 100 %, none needs chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Paired:
    """Two systems on the same questions.

    both, only_first, only_second, neither: questions by who had them right. difference: the second's proportion
    less the first's, from -1 to 1, with its 95 % interval. p: McNemar's exact, two-sided; 1 where none differ.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    ci95: tuple[float, float]
    p: float


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of correct / total; (0, 1) where nothing was counted.

    Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22. Raises ValueError
    unless 0 <= correct <= total.
    """
    if not 0 <= correct <= total:
        raise ValueError(f"{correct} of {total} is no proportion")
    if total == 0:
        return 0.0, 1.0
    share, spread = correct / total, Z95**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 / (1 + spread) * sqrt(share * (1 - share) / total + spread / (4 * total))
    # At the ends the bound is exact; the floats above leave a rounding error there.
    low = 0.0 if correct == 0 else middle - half
    return low, 1.0 if correct == total else middle + half


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test: were the questions that differ as likely to fall either way?

    A binomial test of one half, its smaller tail doubled: McNemar 1947, "Note on the sampling error of the difference
    between correlated proportions or percentages", Psychometrika 12.
    """
    trials, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(trials, successes) for successes in range(fewer + 1))
    return min(1.0, 2 * tail / 2**trials)


def paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """The second system against the first. first, second: right or wrong for each question, in the same order.

    The interval is method 10 of Newcombe 1998, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17: Wilson's intervals joined by the correlation of the
    pairs. (-1, 1) where there are no questions. Raises ValueError for sequences of different length.
    """
    pairs = list(zip(map(bool, first), map(bool, second), strict=True))
    both, only_first = pairs.count((True, True)), pairs.count((True, False))
    only_second, neither = pairs.count((False, True)), pairs.count((False, False))
    counts = (both, only_first, only_second, neither)
    if not pairs:
        return Paired(*counts, 0.0, (-1.0, 1.0), 1.0)
    difference = (only_second - only_first) / len(pairs)
    return Paired(*counts, difference, _newcombe(*counts), mcnemar(only_first, only_second))


def _newcombe(both: int, only_first: int, only_second: int, neither: int) -> tuple[float, float]:
    total = both + only_first + only_second + neither
    rights = (both + only_second, both + only_first)  # the second's first: the difference is second less first
    (p2, (low2, high2)), (p1, (low1, high1)) = ((right / total, wilson(right, total)) for right in rights)
    phi = _correlation(both, only_first, only_second, neither)
    down, up = (p2 - low2, high1 - p1), (high2 - p2, p1 - low1)
    lower, upper = (sqrt(max(0.0, a * a - 2 * phi * a * b + b * b)) for a, b in (down, up))
    return max(-1.0, p2 - p1 - lower), min(1.0, p2 - p1 + upper)


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Of the pairs, a positive one moved towards 0 as method 10 asks; 0 where one system is all right or all wrong."""
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - only_first * only_second
    if excess > 0:
        excess = max(0.0, excess - (both + only_first + only_second + neither) / 2)
    return excess / sqrt(margins)
