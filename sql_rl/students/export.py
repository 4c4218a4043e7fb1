"""Export: proof that merged weights are the model that was trained."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    import torch
    from transformers import PreTrainedModel

PROMPTS = 20
# Nats a token on average. Rounding to 16 bits moves log-probabilities by some hundredths; a delta that is missing,
# added twice or on the wrong layer by tenths and more, unless training has changed next to nothing.
TOLERANCE = 0.1


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
    plain = LocalModel(str(merged))
    ours = student.generate(prompts, max_tokens)
    theirs = plain.generate(prompts, max_tokens)
    gaps: list[float] = []
    for prompt, generation in zip(prompts, ours, strict=True):
        rendered = render_prompt(student.tokenizer, prompt)
        start = student.tokenizer(rendered, add_special_tokens=False)["input_ids"]
        end = student.tokenizer(generation.text, add_special_tokens=False)["input_ids"]
        if end:
            one, other = (log_probabilities(m, start, end) for m in (student.model, plain.model))
            gaps.extend((one - other).abs().tolist())
    gap = sum(gaps) / len(gaps) if gaps else 0.0
    if gap > TOLERANCE:
        raise SqlRlError(
            f"{merged}: the merged weights are not the model that was trained: log-probabilities differ by {gap:.2f} "
            f"nats a token (at most {TOLERANCE} by rounding); the unmerged weights beside it are whole"
        )
    same = sum(a.text == b.text for a, b in zip(ours, theirs, strict=True))
    return Verification(prompts=len(prompts), identical=same, gap=round(gap, 4))


def log_probabilities(model: "PreTrainedModel", start: list[int], end: list[int]) -> "torch.Tensor":
    """The log-probability, in nats, of each token of `end` behind `start`: shape (len(end),), float32 on the CPU."""
    import torch

    ids = torch.tensor([start + end], device=model.device)
    with evaluating(model), torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, len(start) - 1 : -1].float()
    return logits.log_softmax(-1).gather(-1, ids[0, len(start) :, None])[:, 0].cpu()
