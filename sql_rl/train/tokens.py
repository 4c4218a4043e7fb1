"""Rows as tokens, once for all: rendered with the student's chat template, and left out where they are too long.

TRL gets token ids and no text, so that no template can drop `<think>`, no special token is added twice, and nothing
is cut: GRPO never cuts prompts, and SFT would cut from the right, through `</sql>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sql_rl.students.chat_template import render_completion, render_prompt
from sql_rl.train.data import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Tokens:
    """One row as the student reads it. answer: the end token included, None where there is nothing to imitate."""

    row: Row
    prompt: list[int]
    answer: list[int] | None


def tokenized(rows: Sequence[Row], tokenizer: "PreTrainedTokenizerBase") -> list[Tokens]:
    found = []
    for row in rows:
        prompt = render_prompt(tokenizer, row.prompt)
        answer = None if row.answer is None else _ids(tokenizer, render_completion(tokenizer, prompt, row.answer))
        found.append(Tokens(row, _ids(tokenizer, prompt), answer))
    return found


def fitting(found: Sequence[Tokens], max_prompt: int) -> list[Tokens]:
    """Those whose prompt has at most so many tokens."""
    return [t for t in found if len(t.prompt) <= max_prompt]


def imitable(found: Sequence[Tokens], max_length: int) -> list[Tokens]:
    """Those with an answer that fits into so many tokens together with its prompt."""
    return [t for t in found if t.answer is not None and len(t.prompt) + len(t.answer) <= max_length]


def room_to_answer(found: Sequence[Tokens], most: int) -> int:
    """Tokens of a completion for a student from scratch: a quarter more than its longest answer to imitate, at
    most `most`.

    Such a student knows no other answers; before it has learned to end one, each runs into the limit.
    """
    longest = max((len(t.answer) for t in found if t.answer is not None), default=most)
    return min(most, longest + longest // 4)


def sft_columns(found: Sequence[Tokens]) -> dict[str, list[Any]]:
    """What SFTTrainer takes as prepared: token ids, and which of them are the answer's."""
    return {
        "input_ids": [t.prompt + t.answer for t in found],
        "completion_mask": [[0] * len(t.prompt) + [1] * len(t.answer) for t in found],
    }


def grpo_columns(found: Sequence[Tokens], tokenizer: "PreTrainedTokenizerBase") -> dict[str, list[Any]]:
    """The prompt as text (for logs), its token ids, and the position of the row, by which rewards find it."""
    return {
        "prompt": [tokenizer.decode(t.prompt) for t in found],
        "prompt_ids": [t.prompt for t in found],
        "row": list(range(len(found))),
    }


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
