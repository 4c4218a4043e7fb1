"""Merging: a trained model as plain 16-bit weights, without touching the model that is being trained."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_merged(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Writes weights, config, tokenizer and chat template such that plain transformers and vLLM load them.

    model: transformers' own, or PEFT's LoRA around it, whose deltas are added in float32 and rounded once. The weights
    become bfloat16, or stay float16 where they are.
    """
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    dtype = torch.float16 if base.dtype == torch.float16 else torch.bfloat16
    base.save_pretrained(folder, state_dict=merged_state(base, dtype))
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    # save_pretrained writes down the dtype of the model in memory, not of the weights it was given.
    config = json.loads(path.read_text()) | {"dtype": str(dtype).removeprefix("torch.")}
    config.pop("quantization_config", None)
    path.write_text(json.dumps(config, indent=2) + "\n")


def merged_state(base: "PreTrainedModel", dtype: "torch.dtype") -> dict[str, "torch.Tensor"]:
    """The model's weights by the names that they have without an adapter, each with its delta, in `dtype` on the CPU.
    Quantized weights are unpacked.

    base: the transformers model, with PEFT's LoRA layers in the place of its own where it has an adapter.
    """
    import torch
    from peft.utils.integrations import dequantize_module_weight

    modules = dict(base.named_modules())
    state = {}
    for key, tensor in base.state_dict().items():
        owner, _, parameter = key.rpartition(".")
        if ".lora_" in key or owner not in modules:
            continue  # an adapter's own matrices, and the scales of quantized weights
        if parameter == "weight" and not torch.is_floating_point(tensor):
            tensor = dequantize_module_weight(modules[owner])  # noqa: PLW2901
        layer = owner.removesuffix(".base_layer")
        if layer != owner and parameter == "weight":
            tensor = tensor.float()  # noqa: PLW2901
            for adapter in modules[layer].active_adapters:
                tensor = tensor + modules[layer].get_delta_weight(adapter).float()  # noqa: PLW2901
        state[f"{layer}.{parameter}" if layer else parameter] = tensor
    return {
        key: tensor.detach().to("cpu", dtype) if torch.is_floating_point(tensor) else tensor.detach().cpu()
        for key, tensor in state.items()
    }
