"""Export: proof that merged weights are the model that was trained."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from sql_rl.errors import SqlRlError
from sql_rl.prompts import Message
from sql_rl.students.chat_template import render_prompt
from sql_rl.students.generation import evaluating
from sql_rl.students.inference import LocalModel
from sql_rl.students.memory import GB, free_memory
from sql_rl.students.student import Student

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROMPTS = 20
# Nats a token on average. Rounding to 16 bits moves log-probabilities by some hundredths; a delta that is missing,
# added twice or on the wrong layer by tenths and more, unless training has changed next to nothing.
TOLERANCE = 0.1
# Of a student in 4 bits whose merged weights are made of the 16-bit ones: quantization moves them too. Not measured.
TOLERANCE_4BIT = 0.5
Pair = tuple[list[int], list[int]]  # the tokens of a prompt, and of what is to follow it


@dataclass(frozen=True, slots=True)
class Verification:
    """How merged weights compare with the student itself. prompts: how many; identical: of their greedy completions.

    gap: mean absolute difference of the log-probabilities of the student's own completions, in nats a token.
    skipped: why nothing was compared, '' where it was.
    """

    prompts: int = 0
    identical: int = 0
    gap: float = 0.0
    skipped: str = ""


def verify(student: Student, merged: Path, prompts: Sequence[Sequence[Message]], max_tokens: int) -> Verification:
    """Loads the merged weights as any user would, has both answer up to PROMPTS prompts greedily, and compares.

    Skipped, with the reason, where both do not fit into memory at once. Raises SqlRlError if they are not the same
    model: the gap is over TOLERANCE.
    """
    device = next(student.model.parameters()).device.type
    needed = sum(file.stat().st_size for file in merged.glob("*.safetensors")) * (1 if device == "cuda" else 2)
    if needed > (free := free_memory(device)):
        return Verification(
            skipped=f"{needed / GB:.1f} GB are needed beside the student, but {free / GB:.1f} GB are free"
        )
    prompts = prompts[:PROMPTS]
    ours = student.generate(prompts, max_tokens)
    pairs = [
        (_ids(student, render_prompt(student.tokenizer, prompt)), _ids(student, generation.text))
        for prompt, generation in zip(prompts, ours, strict=True)
    ]
    if student.backend == "unsloth":  # has changed transformers' own classes in this process, for any model
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            theirs, said = fresh.submit(as_any_user, str(merged), prompts, max_tokens, pairs).result()
    else:
        theirs, said = as_any_user(str(merged), prompts, max_tokens, pairs)
    gaps = [
        abs(one - other)
        for (start, end), likely in zip(pairs, said, strict=True)
        for one, other in zip(log_probabilities(student.model, start, end), likely, strict=True)
    ]
    gap = sum(gaps) / len(gaps) if gaps else 0.0
    most = TOLERANCE_4BIT if student.kind == "qlora" else TOLERANCE
    if gap > most:
        raise SqlRlError(
            f"{merged}: the merged weights are not the model that was trained: log-probabilities differ by {gap:.2f} "
            f"nats a token (at most {most} by rounding); the unmerged weights beside it are whole"
        )
    same = sum(one.text == text for one, text in zip(ours, theirs, strict=True))
    return Verification(prompts=len(prompts), identical=same, gap=round(gap, 4))


def as_any_user(
    merged: str, prompts: Sequence[Sequence[Message]], max_tokens: int, pairs: Sequence[Pair]
) -> tuple[list[str], list[list[float]]]:
    """Loads weights by plain transformers. (its greedy completions, the log-probabilities of what follows each pair's
    prompt)"""
    plain = LocalModel(merged)
    texts = [generation.text for generation in plain.generate(prompts, max_tokens)]
    return texts, [log_probabilities(plain.model, start, end) for start, end in pairs]


def _ids(student: Student, text: str) -> list[int]:
    return student.tokenizer(text, add_special_tokens=False)["input_ids"]


def log_probabilities(model: "PreTrainedModel", start: list[int], end: list[int]) -> list[float]:
    """The log-probability, in nats, of each token of `end` behind `start`."""
    import torch

    if not end:
        return []

    ids = torch.tensor([start + end], device=model.device)
    with evaluating(model), torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, len(start) - 1 : -1].float()
    return logits.log_softmax(-1).gather(-1, ids[0, len(start) :, None])[:, 0].tolist()
