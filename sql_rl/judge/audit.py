"""The audit of a dataset's golds: from what is known of each to what is kept, and the funnel between. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sql_rl.examples import Example
from sql_rl.judge.outcomes import GoldAudit


@dataclass(frozen=True, slots=True)
class Finding:
    """One example after the audit. kept: it may be trained on. stage: where it left the funnel, or that it is kept.

    duplicate_of: the row of the first example with the same question and database, None if it is the first.
    """

    row: int
    id: str
    stage: str
    kept: bool
    duplicate_of: int | None
    audit: GoldAudit


# The stages at which an example leaves, in order: the first that applies counts.
BROKEN = "gold broken"
DUPLICATE = "duplicate question"
OPEN = "answer not determined"
EMPTY = "empty or without effect everywhere"
KEPT = "kept"
STAGES = (BROKEN, DUPLICATE, OPEN, EMPTY, KEPT)


def findings(examples: Iterable[Example], audits: Iterable[GoldAudit]) -> list[Finding]:
    """What becomes of each example; `audits` are theirs, in the same order."""
    first: dict[bytes, int] = {}
    found = []
    for example, audit in zip(examples, audits, strict=True):
        earlier = first.setdefault(_asked(example), example.row)
        duplicate_of = earlier if earlier != example.row else None
        stage = _stage(audit, duplicate_of is not None)
        found.append(Finding(example.row, example.id, stage, stage == KEPT, duplicate_of, audit))
    return found


def _asked(example: Example) -> bytes:
    """A digest of the question, whatever its case and spacing, and of the database it is asked of."""
    question = " ".join(example.question.casefold().split())
    return hashlib.blake2b("\0".join((question, str(example.database), example.context)).encode()).digest()


def _stage(audit: GoldAudit, duplicate: bool) -> str:
    if audit.broken:
        return BROKEN
    if duplicate:
        return DUPLICATE
    if audit.non_deterministic:
        return OPEN
    return EMPTY if audit.empty and audit.not_separable else KEPT


def funnel(found: Sequence[Finding]) -> list[tuple[str, int]]:
    """How many examples leave at each stage and how many are kept; the counts add up to all."""
    counts = Counter(finding.stage for finding in found)
    return [(stage, counts[stage]) for stage in STAGES]


def remarks(found: Sequence[Finding]) -> list[tuple[str, int]]:
    """What is worth knowing of the golds that are kept: how many of them are …"""
    kept = [finding.audit for finding in found if finding.kept]
    return [
        ("data-changing", sum(not audit.reads for audit in kept)),
        ("empty on the given data", sum(audit.empty for audit in kept)),
        ("the same on every database", sum(audit.constant for audit in kept)),
        ("not separable by any variant", sum(bool(audit.not_separable) for audit in kept)),
        ("read in another dialect than SQLite's", sum(audit.dialect not in ("", "sqlite") for audit in kept)),
        ("on a context that runs only in part", sum(bool(audit.problems) for audit in kept)),
    ]
