"""Student: a model that can be trained, and the words in which a run speaks with one.

A Student is a torch module with its tokenizer, as TRL takes them, and the few things that differ between the
backends behind it: how it generates, how it is saved, and what it forces on a trainer. Nothing heavy is imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sql_rl.prompts import Message

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

Backend = Literal["unsloth", "transformers", "micro"]
Kind = Literal["lora", "qlora", "full"]
# The projections of attention and feed-forward in Llama-like models: what QLoRA (Dettmers et al. 2023) found needed.
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentSpec:
    """Which student, and how it is to be trained.

    model: `micro`, `micro-llama`, `micro-qwen2`, a Hub id, a folder (weights, or an adapter) or a .gguf file.
    full_finetuning: train all weights; otherwise LoRA, on 4-bit weights with load_in_4bit (QLoRA; needs CUDA).
    lora_targets: names of the modules that get an adapter. max_seq_length: tokens, prompt and completion together.
    fast_inference: roll out with vLLM inside Unsloth, which gets gpu_memory_utilization (0 to 1) of the GPU.
    seed: what new weights (micro, adapters) are drawn from.
    backend: who trains; auto is Unsloth where it can.
    """

    model: str
    max_seq_length: int = 2048
    load_in_4bit: bool = False
    full_finetuning: bool = False
    lora_rank: int = 16
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    lora_targets: Sequence[str] = LORA_TARGETS
    fast_inference: bool = False
    gpu_memory_utilization: float = 0.5
    seed: int = 0
    backend: Literal["auto", "unsloth", "transformers"] = "auto"


@dataclass(frozen=True, slots=True)
class Generation:
    """One completion. text: without the prompt and without special tokens; tokens: how many were read and written.

    finish_reason: 'stop' (the model ended it, or `</sql>` came), 'length' (max_tokens), or 'context': the prompt
    leaves no room in the model's context, nothing was generated.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: Literal["stop", "length", "context"]


class Student(Protocol):
    """One backend's model, ready to be trained.

    name: as the user gave it. model: PEFT-wrapped unless kind is 'full'. notes: one line for each thing that was
    chosen for the user (a fallback, a chat template, a pad token), to be said aloud.
    fast_inference: rollouts come from vLLM inside the model.
    """

    name: str
    model: "nn.Module"
    tokenizer: "PreTrainedTokenizerBase"
    backend: Backend
    kind: Kind
    fast_inference: bool
    notes: tuple[str, ...]

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch_size: int = 32,
    ) -> list[Generation]:
        """A completion for each prompt, in their order; see `generation.generate`."""
        ...

    def save(self, folder: Path) -> None:
        """What training changed: the adapter, or all weights in the dtype they were trained in; with the tokenizer."""
        ...

    def save_merged(self, folder: Path) -> None:
        """All weights in 16 bits with tokenizer and chat template: loads in plain transformers and vLLM."""
        ...

    def trainer_arguments(self) -> dict[str, Any]:
        """The arguments of TRL's configs that this backend or machine leaves no choice about."""
        ...
