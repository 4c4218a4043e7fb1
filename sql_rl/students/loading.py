"""Loading: from a Source to a transformers model and a tokenizer that lacks nothing, with each failure in one line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.errors import UsageError
from sql_rl.students.chat_template import PROBE, prepare, render_prompt
from sql_rl.students.gguf import unpacked
from sql_rl.students.memory import device_name, device_of_process
from sql_rl.students.source import Source, locate, sixteen_bit_name

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def find(name: str, token: str | None = None) -> Source:
    """The source of a name (`source.locate`), unless it holds 4-bit weights and there is no GPU that reads them.

    Raises UsageError with what would run instead, before the Hub is asked where the name tells.
    """
    if sixteen_bit_name(name) is not None:
        _refuse_four_bit(name)
    source = locate(name, token)
    for weights in (source, source.base):
        if weights is not None and weights.four_bit:
            _refuse_four_bit(weights.name)
    return source


def _refuse_four_bit(name: str) -> None:
    if device_name() == "cpu":
        raise UsageError(
            f"{name} holds 4-bit weights that need a CUDA GPU (bitsandbytes), and there is none here; "
            f"{sixteen_bit_name(name) or 'the 16-bit weights'} would run on the CPU if it fits, and micro always does"
        )


def load(
    source: Source, dtype: "torch.dtype", device: str, token: str | None = None, quantization: Any = None
) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase", tuple[str, ...]]:
    """The weights of a source (of an adapter: its base's) with the tokenizer, and what was chosen for the user.

    device: 'cpu' or 'cuda'. quantization: a config of transformers' for weights that are quantized while loading.
    The tokenizer of an adapter is the one saved with it, if there is one. Raises UsageError.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # of reading from the disk; downloads keep theirs
    weights = source.base if source.base is not None else source
    if weights.kind == "adapter":
        raise UsageError(f"{source.name} is an adapter on an adapter ({weights.name}): merge that one first")
    place = loadable(weights)
    tokenizer = load_tokenizer(source, place, token)
    notes = prepare(tokenizer, source.name)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=dtype,
            token=token,
            quantization_config=quantization,
            device_map={"": device_of_process(device)},
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UsageError(f"{weights.name}: transformers cannot load it: {_first_line(error)}") from error
    reached = max(
        *tokenizer(render_prompt(tokenizer, PROBE))["input_ids"], tokenizer.pad_token_id, tokenizer.eos_token_id
    )
    if reached >= (size := model.get_input_embeddings().num_embeddings):
        raise UsageError(
            f"{source.name}: its tokenizer gives token {reached}, but the model has {size}: they do not belong together"
        )
    # What PEFT writes down as an adapter's base: the file or the folder itself, wherever the next command is started.
    model.name_or_path = model.config._name_or_path = weights.place
    model.generation_config.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer, notes


def loadable(weights: Source) -> str:
    """What transformers opens: a Hub id or a folder; a GGUF file is unpacked into one."""
    return str(unpacked(Path(weights.place))) if weights.kind == "gguf" else weights.place


def load_tokenizer(source: Source, place: str, token: str | None) -> "PreTrainedTokenizerBase":
    """The tokenizer at `place`, or the one beside an adapter. Raises UsageError if there is none."""
    from transformers import AutoTokenizer

    own = source.kind == "adapter" and (Path(source.place) / "tokenizer_config.json").is_file()
    try:
        return AutoTokenizer.from_pretrained(source.place if own else place, token=token)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{source.name}: no tokenizer can be loaded ({_first_line(error)}); "
            "copy tokenizer.json and tokenizer_config.json of its base model into the folder"
        ) from error


def with_adapter(
    model: "PreTrainedModel", source: Source, token: str | None = None, trainable: bool = False
) -> "PeftModel":
    """The model with the adapter of a source on it. Raises UsageError where they do not belong together."""
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        return PeftModel.from_pretrained(model, source.place, is_trainable=trainable, token=token)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UsageError(
            f"{source.name}: this adapter does not load on its base {source.base.name}: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
