"""What of a streamed answer is shown, however it is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_rl.chat.thoughts import Thoughts

ANSWERS = [
    ("<think>\nI count.\n</think>\n<sql>\nSELECT 1\n</sql>", "\nI count.\n\n"),
    ("I count.\n```sql\nSELECT 1 < 2\n```\nDone.", "I count.\n\nDone."),
    ("is a < b? <b> then", "is a < b? <b> then"),
    ("<THINKING>yes</THINKING><SQL>no", "yes"),
    ("it ends in <th", "it ends in <th"),
    ("`x` and ``y``", "`x` and ``y``"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shown"), ANSWERS)
def test_tags_and_the_query_are_left_out(text: str, shown: str):
    thoughts = Thoughts()
    assert thoughts.feed(text) + thoughts.end() == shown


@given(st.sampled_from(ANSWERS), st.integers(1, 7))
def test_pieces_make_no_difference(answer: tuple[str, str], size: int):
    text, shown = answer
    thoughts = Thoughts()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join(map(thoughts.feed, pieces)) + thoughts.end() == shown


def test_what_cannot_begin_a_tag_is_shown_at_once():
    thoughts = Thoughts()
    assert thoughts.feed("I look at a ") == "I look at a "
    assert thoughts.feed("<thi") == ""
    assert thoughts.feed("rd") == "<third"
