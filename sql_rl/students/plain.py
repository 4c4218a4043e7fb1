"""Plain: a student in transformers, with PEFT where it gets an adapter. Any machine, and the only one without a GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.prompts import Message
from sql_rl.students.generation import generate
from sql_rl.students.student import Backend, Generation, Kind

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class PlainStudent:
    """A Student whose model is transformers' own, or PEFT's around it. Fields as in `student.Student`."""

    name: str
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    backend: Backend
    kind: Kind
    notes: tuple[str, ...] = ()
    fast_inference: bool = False

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch_size: int = 32,
    ) -> list[Generation]:
        return generate(self.model, self.tokenizer, prompts, max_tokens, temperature, seed, batch_size)

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def save_merged(self, folder: Path) -> None:
        from sql_rl.students.merging import save_merged

        save_merged(self.model, self.tokenizer, folder)

    def trainer_arguments(self) -> dict[str, Any]:
        import torch

        if not torch.cuda.is_available():
            return {"use_cpu": True, "bf16": False, "fp16": False}
        bf16 = torch.cuda.is_bf16_supported()
        return {"bf16": bf16, "fp16": not bf16}
