"""What a row comes to in tokens, and what is left out by their number."""

import pytest

from sql_rl.train.tokens import Tokens, fitting, imitable, room_to_answer


def tokens(prompt: int, answer: int | None) -> Tokens:
    return Tokens(None, [1] * prompt, None if answer is None else [2] * answer)


@pytest.mark.parametrize(
    ("answers", "room"), [([5, 30, 8], 37), ([5, 900], 1024), ([None, 20], 25), ([None], 1024), ([], 1024)]
)
def test_a_student_from_scratch_gets_a_little_more_room_than_its_longest_answer(answers: list[int | None], room: int):
    assert room_to_answer([tokens(4, answer) for answer in answers], 1024) == room


def test_prompts_and_answers_that_are_too_long_are_left_out():
    rows = [tokens(10, 10), tokens(11, 5), tokens(10, None), tokens(3, 18)]
    assert fitting(rows, 10) == [rows[0], rows[2], rows[3]]
    assert imitable(rows, 20) == [rows[0], rows[1]]
