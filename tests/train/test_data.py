"""Rows to train on: which layout teaches what, and that nothing measured on is learned."""

from itertools import product

import pytest

from sql_rl.examples import Example
from sql_rl.prompts import load_prompts
from sql_rl.train.data import Row, hold_back, read, without

PROMPTS = load_prompts()
ASKED = [{"role": "system", "content": "Write SQL."}, {"role": "user", "content": "How many?"}]
ANSWER = {"role": "assistant", "content": "<think>\nCount.\n</think>\n<sql>\nSELECT COUNT(*) FROM t\n</sql>"}
GENERATION = "<think>Count them.</think> <sql>SELECT COUNT(*) FROM t;</sql>"


def example(row: int = 0, question: str = "How many?", context: str = "CREATE TABLE t (a INT)", **source) -> Example:
    return Example(row, str(row), question, context, "SELECT COUNT(*) FROM t", source=source)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ({}, None),
        ({"messages": [*ASKED, ANSWER], "reason": None, "verdict": "match"}, ANSWER["content"]),
        ({"messages": [*ASKED, ANSWER], "reason": None, "verdict": None}, ANSWER["content"]),
        ({"messages": [*ASKED, ANSWER], "reason": "mismatch: 3 rows, 2 expected", "verdict": "mismatch"}, None),
        ({"messages": ASKED, "reason": "no_sql", "verdict": "no_sql"}, None),
        (
            {"generation": GENERATION, "validation": "valid"},
            "<think>\nCount them.\n</think>\n<sql>\nSELECT COUNT(*) FROM t\n</sql>",
        ),
        ({"generation": GENERATION, "validation": "no such table: t"}, None),
        ({"generation": "I do not know", "validation": "valid"}, None),
    ],
)
def test_what_is_imitated(source, answer):
    assert read(example(**source), PROMPTS).answer == answer


def test_the_prompt_of_a_distilled_row_is_the_one_that_was_asked():
    assert list(read(example(messages=[*ASKED, ANSWER], reason=None), PROMPTS).prompt) == ASKED
    assert list(read(example(messages=ASKED, reason="no_sql"), PROMPTS).prompt) == ASKED
    assert list(read(example(), PROMPTS).prompt) == PROMPTS.draft(example())


def test_a_row_whose_gold_was_found_broken_is_no_row():
    assert read(example(messages=[*ASKED, ANSWER], verdict="gold_broken"), PROMPTS) is None


def rows(pairs) -> list[Row]:
    return [Row(example(i, question, context), ()) for i, (question, context) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("pairs", "held"),
    [
        ([(f"q{i}", f"c{i}") for i in range(50)], 10),  # each on its own: as many as were asked for
        ([(f"q{i}", f"c{i}") for i in range(10)], 2),  # at most a fifth
        ([(f"q{i}", "one database") for i in range(50)], 0),  # all hang together
        ([("one question", f"c{i}") for i in range(50)], 0),
        (list(product(["a", "b"], [f"c{i}" for i in range(25)])), 0),  # together through both
    ],
)
def test_no_question_and_no_database_is_on_both_sides(pairs, held):
    learn, back = hold_back(rows(pairs), 10, seed=1)
    assert len(back) == held
    assert len(learn) + len(back) == len(pairs)
    assert not {r.question for r in learn} & {r.question for r in back}
    assert not {r.database for r in learn} & {r.database for r in back}


def test_rows_of_one_database_are_held_back_together():
    learn, back = hold_back(rows([(f"q{i}", f"c{i // 4}") for i in range(40)]), 8, seed=0)
    assert len(back) == 8
    assert not {r.database for r in learn} & {r.database for r in back}
    assert hold_back(rows([(f"q{i}", f"c{i // 4}") for i in range(40)]), 8, seed=0) == (learn, back)


def test_questions_that_are_measured_on_are_not_learned():
    one, two, three = rows([("How  MANY?", "c"), ("how many?", "c"), ("how many?", "d")])
    assert without([one, three], [two]) == [three]
