"""Unsloth: a student on a CUDA GPU, in a fraction of the memory and time, with vLLM's rollouts inside if asked for.

Unsloth patches transformers, PEFT and TRL as it is imported, so it has to come first: open the student before any of
them is imported. It does not import without a GPU. Thin on purpose: what can be shared is in the other modules.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sql_rl.errors import UsageError
from sql_rl.prompts import Message
from sql_rl.students.memory import device_name, explaining_out_of_memory
from sql_rl.students.merging import save_merged
from sql_rl.students.source import Source
from sql_rl.students.student import Generation, Kind, StudentSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that it has kernels for


def why_not(source: Source) -> str | None:
    """Why Unsloth cannot train a source on this machine, as the start of a sentence; None where it can."""
    if device_name() == "cpu":
        return "no CUDA GPU"
    if find_spec("unsloth") is None:
        return "Unsloth is not installed (`uv sync` installs it)"
    if source.kind == "micro":
        return "it is made for transformers"
    return "Unsloth reads no GGUF" if (source.base or source).kind == "gguf" else None


@dataclass(frozen=True, slots=True)
class UnslothStudent:
    """A Student whose model Unsloth has loaded. Fields as in `student.Student`."""

    name: str
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    kind: Kind
    fast_inference: bool
    max_seq_length: int
    notes: tuple[str, ...] = ()
    backend: Literal["unsloth"] = "unsloth"

    def generate(
        self,
        prompts: Sequence[Sequence[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch_size: int = 32,
    ) -> list[Generation]:
        from sql_rl.students.generation import generate

        if self.fast_inference:
            return self._by_vllm(prompts, max_tokens, temperature, seed)
        return generate(self.model, self.tokenizer, prompts, max_tokens, temperature, seed, batch_size)

    def _by_vllm(
        self, prompts: Sequence[Sequence[Message]], max_tokens: int, temperature: float, seed: int | Sequence[int]
    ) -> list[Generation]:
        """The same, by the engine that shares the model's weights, with the adapter as it is now."""
        from vllm import SamplingParams

        from sql_rl.students.chat_template import render_prompt
        from sql_rl.students.generation import END_OF_ANSWER, seeds_of, stop_tokens

        rows = [
            self.tokenizer(render_prompt(self.tokenizer, p), add_special_tokens=False)["input_ids"] for p in prompts
        ]
        found = {
            i: Generation("", len(row), 0, "context") for i, row in enumerate(rows) if len(row) >= self.max_seq_length
        }
        asked = [i for i in range(len(rows)) if i not in found]
        seeds = seeds_of(seed, len(rows))
        sampling = [
            SamplingParams(
                max_tokens=min(max_tokens, self.max_seq_length - len(rows[i])),
                temperature=temperature,
                seed=seeds[i],
                stop=[END_OF_ANSWER],
                include_stop_str_in_output=True,
                stop_token_ids=stop_tokens(self.model, self.tokenizer),
            )
            for i in asked
        ]
        with tempfile.TemporaryDirectory() as folder:
            adapter = self.model.load_lora(f"{folder}/adapter", load_tensors=True) if self.kind != "full" else None
            outputs = self.model.fast_generate(
                [{"prompt_token_ids": rows[i]} for i in asked], sampling, lora_request=adapter, use_tqdm=False
            )
        for i, output in zip(asked, outputs, strict=True):
            best = output.outputs[0]
            reason = "length" if best.finish_reason == "length" else "stop"
            found[i] = Generation(best.text, len(rows[i]), len(best.token_ids), reason)
        return [found[i] for i in range(len(rows))]

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def save_merged(self, folder: Path) -> None:
        if self.kind == "full":  # there is nothing to merge, and Unsloth would leave 32 bits
            save_merged(self.model, self.tokenizer, folder)
            return
        # Unsloth merges onto the 16-bit weights that the 4-bit ones were made of, which is more exact than unpacking.
        self.model.save_pretrained_merged(str(folder), self.tokenizer, save_method="merged_16bit")

    def save_gguf(self, folder: Path, quantization: str) -> None:
        """The merged model as a .gguf file, made by llama.cpp, which Unsloth fetches and builds if it is not there."""
        self.model.save_pretrained_gguf(str(folder), self.tokenizer, quantization_method=quantization)

    def trainer_arguments(self) -> dict[str, Any]:
        import torch

        bf16 = torch.cuda.is_bf16_supported()
        return {"bf16": bf16, "fp16": not bf16}


def open_unsloth(source: Source, spec: StudentSpec, token: str | None) -> UnslothStudent:
    """The student of a source with weights or a trained adapter, which is trained on. Raises UsageError.

    4-bit weights are loaded by Unsloth's own choice of their 16-bit name; fast_inference needs LoRA. All weights are
    trained in float32, as plain.py does: Unsloth's own way is bfloat16, in which most steps are lost.
    """
    if spec.fast_inference and spec.full_finetuning:
        raise UsageError(
            "full_finetuning has no vLLM rollouts inside Unsloth: set train.use_vllm to never, or full_finetuning to "
            "false"
        )
    if source.kind == "adapter" and spec.full_finetuning:
        raise UsageError(f"{source.name} is an adapter: set train.full_finetuning to false, or give its merged weights")
    import torch
    from unsloth import FastLanguageModel

    from sql_rl.students.chat_template import prepare

    rank = source.config.get("r", spec.lora_rank)  # an adapter brings its own
    with explaining_out_of_memory(
        "set train.load_in_4bit, lower max_seq_length or train.gpu_memory_utilization, or take a smaller model"
    ):
        try:
            model, tokenizer = FastLanguageModel.from_pretrained(
                model_name=source.place,
                max_seq_length=spec.max_seq_length,
                load_in_4bit=spec.load_in_4bit and not spec.full_finetuning,
                load_in_16bit=not spec.load_in_4bit and not spec.full_finetuning,
                full_finetuning=spec.full_finetuning,
                float32_mixed_precision=True if spec.full_finetuning else None,
                token=token,
                fast_inference=spec.fast_inference,
                gpu_memory_utilization=spec.gpu_memory_utilization,
                max_lora_rank=next((size for size in VLLM_RANKS if size >= rank), rank),
                random_state=spec.seed,
            )
            if not spec.full_finetuning and source.kind != "adapter":
                model = FastLanguageModel.get_peft_model(
                    model,
                    r=spec.lora_rank,
                    target_modules=list(spec.lora_targets),
                    lora_alpha=spec.lora_alpha,
                    lora_dropout=spec.lora_dropout,
                    use_gradient_checkpointing="unsloth",
                    random_state=spec.seed,
                )
        except torch.OutOfMemoryError:
            raise
        # What its loader raises for a model that is not there (OSError), where vLLM does not load (ImportError), or for
        # a model that it does not know (any of the others).
        except (OSError, ImportError, ValueError, NotImplementedError, RuntimeError) as error:
            raise UsageError(
                f"{source.name}: Unsloth cannot load it: {str(error).strip().partition(chr(10))[0]}"
            ) from error
    # Of a model that can see, the tokenizer is inside the processor.
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    notes = prepare(tokenizer, source.name)
    kind: Kind = "full" if spec.full_finetuning else "qlora" if spec.load_in_4bit else "lora"
    inside = hasattr(model, "vllm_engine")
    if spec.fast_inference and not inside:
        notes = (f"Unsloth has no vLLM for {source.name} on this GPU: rollouts are generated without it", *notes)
    return UnslothStudent(source.name, model, tokenizer, kind, inside, spec.max_seq_length, notes)
