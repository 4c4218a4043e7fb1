"""Rows as people and models write them: the golds of a real dataset, and texts sown with pieces of all dialects."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_rl.judge.bench import Bench
from sql_rl.judge.verdict import Verdict
from sql_rl.settings import JudgeSettings

GRETEL = Path(__file__).parents[2] / "../shared/data/gretel/rows.jsonl"
BENCH = Bench(JudgeSettings(variants=2, steps=200_000, seconds=1.0), announce=lambda phase: None)
SAMPLE_FILE = Path(__file__).parents[2] / "sql_rl/sample.jsonl"
SAMPLE = [json.loads(line) for line in SAMPLE_FILE.read_text().splitlines()]
PIECES = (
    "'", '"', "`", "[", "]", "(", ")", ";", "--", "/*", "::int", " INTERVAL 1 DAY ", " TOP 5 ", "\\", "\x00", "\ud800",
    " QUALIFY ", "@x", "?", "$1", " AS DATE)", " CAST(", " OVER (", " WITH ", " - CURRENT_DATE ", " EXTRACT(DAY FROM ",
    "{}", " UNION ", " SERIAL ", " ENUM(", "9" * 30, " CHECK (", " DEFAULT ", ",",
)  # fmt: skip


@pytest.mark.skipif(not GRETEL.exists(), reason="needs the Gretel rows in ../shared/data")
def test_gretels_golds_run_but_for_the_four_that_are_broken():
    broken = {
        5097: "ambiguous column name: salesperson_id",
        5103: "no such table: FishSpecies",
        5143: "no such table: astronauts",
        5146: "no such column: Properties.City",
    }
    bench = Bench(JudgeSettings(), announce=lambda phase: None)
    examples = [json.loads(line) for line in GRETEL.read_text().splitlines()]
    assert len(examples) == 52
    for row in examples:
        for sql in (row["sql"], row["sql"].replace(" ", "  ", 1)):  # the second is not the gold's text
            judgement = bench.judge(None, row["sql_context"], row["sql"], sql)
            expected = f"gold: {broken[row['id']]}" if row["id"] in broken else ""
            assert judgement.reason == expected, row["id"]
            assert judgement.verdict == ("gold_broken" if expected else "match")


@given(seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_mangled_text_is_a_verdict_and_no_exception(seed):
    """A context, its gold and a query, each cut, shuffled and sown with pieces of every dialect."""
    dice = random.Random(seed)
    row = dice.choice(SAMPLE)
    gold = row["sql"] if dice.random() < 0.5 else mangled(row["sql"], dice)
    context = row["sql_context"] if dice.random() < 0.7 else mangled(row["sql_context"], dice)
    judgement = BENCH.answer(
        {"op": "judge", "database": None, "context": context, "gold": gold, "sql": mangled(row["sql"], dice)}
    )
    assert judgement["verdict"] in Verdict


def mangled(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 4)):
        place, end = dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)
        if dice.random() < 0.5:
            text = text[:place] + dice.choice(PIECES) + text[place:]
        else:
            text = text[:place] + text[end : end + 20] + text[place + dice.randint(0, 12) :]
    return text
