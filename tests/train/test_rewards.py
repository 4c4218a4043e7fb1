"""Rewards: a table of verdicts and what they are worth."""

import pytest

from sql_rl.answers import parse
from sql_rl.judge.verdict import Judgement, Verdict
from sql_rl.settings import TrainSettings
from sql_rl.train.rewards import Scored, parts

TAGGED = "<think>\nso\n</think>\n<sql>\nSELECT 1\n</sql>"
BARE = "SELECT 1"
SETTINGS = TrainSettings(
    reward_match=1.0,
    reward_lucky=0.3,
    reward_mismatch=0.05,
    reward_failed=-0.1,
    format_weight=0.2,
    length_weight=0.1,
)


def scored(verdict: str, text: str = TAGGED, length: float = 0.5) -> Scored:
    return Scored(parse(text), Judgement(Verdict(verdict)), length)


@pytest.mark.parametrize(
    ("verdict", "text", "execution", "form", "length"),
    [
        ("match", TAGGED, 1.0, 1.0, -0.5),
        ("match", BARE, 1.0, 0.0, -0.5),
        ("lucky", TAGGED, 0.3, 1.0, 0.0),
        ("mismatch", TAGGED, 0.05, 1.0, 0.0),
        ("error", TAGGED, -0.1, 1.0, 0.0),
        ("timeout", BARE, -0.1, 0.0, 0.0),
        ("too_big", TAGGED, -0.1, 1.0, 0.0),
        ("unsafe", TAGGED, -0.1, 1.0, 0.0),
        ("no_sql", "I do not know", -0.1, 0.0, 0.0),
        ("gold_broken", TAGGED, None, None, None),  # never the student's fault
    ],
)
def test_what_a_verdict_is_worth(verdict, text, execution, form, length):
    found = {name: part(scored(verdict, text)) for name, (part, _) in parts(SETTINGS).items()}
    assert found == {"execution": execution, "format": form, "length": length}


def test_parts_without_weight_are_left_out_and_length_is_by_default():
    assert {name: weight for name, (_, weight) in parts(SETTINGS).items()} == {
        "execution": 1.0,
        "format": 0.2,
        "length": 0.1,
    }
    assert list(parts(TrainSettings())) == ["execution", "format"]
    assert list(parts(TrainSettings(format_weight=0))) == ["execution"]
