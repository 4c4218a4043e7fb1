"""Plain: a student in transformers, with PEFT where it gets an adapter. Any machine, and the only one without a GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.errors import UsageError
from sql_rl.prompts import Message
from sql_rl.students.generation import generate
from sql_rl.students.loading import load, loadable, with_adapter
from sql_rl.students.memory import (
    check_fits,
    device_name,
    explaining_out_of_memory,
    free_memory,
    parameters,
    training_bytes,
)
from sql_rl.students.merging import save_merged
from sql_rl.students.source import Source
from sql_rl.students.student import Backend, Generation, Kind, StudentSpec

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
        # The embeddings are never resized, which PEFT would go and look up at the base model's place.
        self.model.save_pretrained(folder, **({} if self.kind == "full" else {"save_embedding_layers": False}))
        self.tokenizer.save_pretrained(folder)

    def save_merged(self, folder: Path) -> None:
        save_merged(self.model, self.tokenizer, folder)

    def trainer_arguments(self) -> dict[str, Any]:
        import torch

        if self.model.device.type == "cpu":
            return {"use_cpu": True, "bf16": False, "fp16": False}
        bf16 = torch.cuda.is_bf16_supported()
        return {"bf16": bf16, "fp16": not bf16}


def open_plain(source: Source, spec: StudentSpec, token: str | None, reason: str) -> PlainStudent:
    """The student of a source that is no micro model, in the memory of the GPU if there is one.

    All weights are trained in float32 (a step of a usual learning rate is lost in bfloat16's 8 bits); a frozen base
    lies in 16 bits on a GPU, and in float32 on a CPU, most of which compute nothing faster in 16.
    An adapter is trained on; with full_finetuning it is merged first.
    reason: why it is not Unsloth, the start of the note.
    Raises UsageError for what does not run here, does not fit, or has no such modules.
    """
    import torch
    from peft import prepare_model_for_kbit_training

    device = device_name()
    kind = _kind(spec, device)
    half = torch.bfloat16 if device == "cuda" and torch.cuda.is_bf16_supported() else torch.float16
    dtype = torch.float32 if kind == "full" or device == "cpu" else half
    weights = source.base or source
    smaller = "take a smaller model, or --model micro to try things out"
    way_out = f"set train.full_finetuning to false (LoRA), or {smaller}" if kind == "full" else smaller
    count = parameters(loadable(weights), token)
    check_fits(weights.name, count, training_bytes(kind, dtype.itemsize), free_memory(device), way_out)
    with explaining_out_of_memory(way_out):
        model, tokenizer, notes = load(source, dtype, device, token, _nf4(half) if kind == "qlora" else None)
    if kind == "qlora":
        model = prepare_model_for_kbit_training(model)
    if source.kind == "adapter":
        model = with_adapter(model, source, token, trainable=True)
        model = model.merge_and_unload() if kind == "full" else model
    elif kind != "full":
        model = _with_new_adapter(model, spec)
    how = {"lora": "LoRA", "qlora": "QLoRA", "full": "all weights"}[kind]
    where = "the CPU" if device == "cpu" else "the GPU"
    loaded = "4 bits" if kind == "qlora" else f"{8 * dtype.itemsize} bits"
    note = f"{reason}: {source.name} is trained by plain transformers on {where} ({how}, weights in {loaded})"
    return PlainStudent(source.name, model, tokenizer, "transformers", kind, (note, *notes))


def _kind(spec: StudentSpec, device: str) -> Kind:
    if spec.full_finetuning:
        return "full"
    return "qlora" if spec.load_in_4bit and device == "cuda" and find_spec("bitsandbytes") else "lora"


def _nf4(compute: Any) -> Any:
    """QLoRA's quantization (Dettmers et al. 2023): 4-bit NormalFloat, with the scales quantized too."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def _with_new_adapter(model: "PreTrainedModel", spec: StudentSpec) -> "PreTrainedModel":
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=spec.lora_rank,
        lora_alpha=spec.lora_alpha,
        lora_dropout=spec.lora_dropout,
        target_modules=list(spec.lora_targets),
        task_type="CAUSAL_LM",
    )
    leaves = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    if not leaves & set(spec.lora_targets):
        raise UsageError(
            f"lora_targets: {spec.model} has no module named {', '.join(spec.lora_targets)}; "
            f"its linear modules are {', '.join(sorted(leaves))}"
        )
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        return get_peft_model(model, config)
