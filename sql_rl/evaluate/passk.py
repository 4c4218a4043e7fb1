"""Many answers to one question: would one of k be right, and is the one right that most of them agree on? Pure."""

from collections.abc import Sequence
from math import comb


def pass_at_k(answers: int, right: int, k: int) -> float:
    """The chance that at least one of k answers is right, estimated without bias from more of them.

    answers: how many were drawn; right: how many of them are right; k: from 1 to `answers`. The estimator
    1 - C(answers - right, k) / C(answers, k) of Chen et al. 2021, "Evaluating Large Language Models Trained on Code",
    section 2.1. Raises ValueError for numbers that make no sense.
    """
    if not 1 <= k <= answers or not 0 <= right <= answers:
        raise ValueError(f"pass@{k} of {answers} answers, {right} of them right, is not defined")
    return 1.0 - comb(answers - right, k) / comb(answers, k)


def mean_pass_at_k(right: Sequence[int], answers: int) -> dict[str, float]:
    """pass@k over questions, by k as text. right: how many of each question's `answers` are right."""
    return {str(k): sum(pass_at_k(answers, n, k) for n in right) / len(right) for k in ks(answers)} if right else {}


def ks(answers: int) -> list[int]:
    """The k that are told: 1, 2, 4, … and the number of answers."""
    return [*(2**power for power in range(answers.bit_length()) if 2**power < answers), answers]
