"""Variants: databases that tell near-miss queries apart.

From the schema, the given rows and the gold, a few small databases are drawn in which foreign keys find their
parents, keys are unique, values lie on and beside every boundary in the gold, some are NULL, rows repeat, groups are
of many sizes, joins match and do not. The recipe follows distilled test suites (Zhong et al. 2020) and data for
killing SQL mutants (Tuya et al. 2010). Deterministic by seed.
"""

from collections.abc import Callable, Sequence
from random import Random

from sqlglot import exp

from sql_rl.judge.compare import Result, same_multiset
from sql_rl.judge.schema import Schema
from sql_rl.judge.variants.demands import Value
from sql_rl.judge.variants.draft import Draft, Style
from sql_rl.judge.variants.given import Given
from sql_rl.judge.variants.probes import Decide, Truths
from sql_rl.judge.variants.scopes import read_demands
from sql_rl.judge.variants.witness import plant_witness
from sql_rl.judge.variants.world import World, build_world

TINY = Style(asked=(1, 1), spare=(1, 2), variety=(1, 2), special=0.5, nulls=0.0, witnesses=1)
STYLES = (
    Style(asked=(12, 18), spare=(3, 6), variety=(6, 10), special=0.5, nulls=0.06, witnesses=6),
    Style(asked=(16, 28), spare=(3, 6), variety=(9, 18), special=0.4, nulls=0.0, witnesses=6),
    Style(asked=(6, 10), spare=(2, 5), variety=(2, 4), special=0.6, nulls=0.0, witnesses=6),
    Style(asked=(10, 16), spare=(3, 6), variety=(4, 7), special=0.3, nulls=0.06, witnesses=6),
    TINY,
    Style(asked=(12, 20), spare=(3, 6), variety=(5, 12), special=0.6, nulls=0.0, witnesses=7),
    Style(asked=(18, 30), spare=(3, 6), variety=(7, 14), special=0.5, nulls=0.03, witnesses=6),
    Style(asked=(6, 12), spare=(2, 5), variety=(3, 6), special=0.4, nulls=0.0, witnesses=7),
)
TRIES = 3

Variant = dict[str, list[tuple[Value, ...]]]


def generate(
    schema: Schema,
    given: Given,
    gold_tree: exp.Expression,
    seed: int,
    count: int,
    run: Callable[[Variant], Result | None] | None = None,
    decide: Decide | None = None,
) -> list[Variant]:
    """`count` databases, each as rows by declared table name, a tuple over `Table.stored`.

    gold_tree: the gold in SQLite's dialect. run: executes the gold on such rows; None where it fails or its answer
    is not determined. With it, a database that tells nothing (no rows, the same result as before) is drawn again,
    at most twice. decide: the truth of conditions that only a database can tell (`probes.py`). The rows respect what
    is declared as far as it can be read; load them with INSERT OR IGNORE, so that SQLite itself leaves out what a
    CHECK or an index over an expression forbids.
    """
    world = build_world(schema, given, read_demands(gold_tree, schema), Truths(decide))
    variants: list[Variant] = []
    results: list[Result] = []
    for number in range(count):
        style = STYLES[number % len(STYLES)]
        for attempt in range(TRIES if run else 1):
            variant = _draw(world, style, Random(f"{seed} {number} {attempt}"))
            result = run(variant) if run else None
            if result is not None and (style is TINY or _tells(result, results)):
                break
        variants.append(variant)
        if result is not None:
            results.append(result)
    return variants


def _draw(world: World, style: Style, random: Random) -> Variant:
    draft = Draft(world, style, random)
    for turn in range(style.witnesses):
        plant_witness(draft, turn)
    return draft.rows()


def _tells(result: Result, before: Sequence[Result]) -> bool:
    """Is there anything in the result, and anything new?"""
    if not any(cell not in (None, 0) for row in result.rows for cell in row):
        return False
    return not any(same_multiset(result.rows, other.rows) for other in before)
