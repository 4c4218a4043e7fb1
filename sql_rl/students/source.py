"""Sources: where a model that a user names lies, decided before anything heavy is imported or downloaded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sql_rl.errors import RefusedError, SqlRlError, UsageError
from sql_rl.students.micro import NAMES as MICRO_NAMES

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "*.tiktoken", "tekken.json")
# What Unsloth and others append to the names of 4-bit weights.
_FOUR_BIT_SUFFIXES = ("-unsloth-bnb-4bit", "-bnb-4bit")


@dataclass(frozen=True, slots=True)
class Source:
    """A model that is there. name: as the user gave it; place: what a loader opens, a Hub id or an absolute path.

    config: the parsed config.json, or adapter_config.json of an adapter; empty for micro and GGUF.
    base: what an adapter was made on.
    """

    name: str
    kind: Literal["micro", "weights", "adapter", "gguf"]
    place: str
    config: dict
    base: "Source | None" = None

    @property
    def four_bit(self) -> bool:
        """Weights that only bitsandbytes, and so only a CUDA GPU, can read."""
        quantization = self.config.get("quantization_config") or {}
        return quantization.get("quant_method") == "bitsandbytes" or sixteen_bit_name(self.name) is not None


def sixteen_bit_name(name: str) -> str | None:
    """The name under which 4-bit weights are published in 16 bits, by Unsloth's way of naming; None for other names."""
    suffix = next((suffix for suffix in _FOUR_BIT_SUFFIXES if name.endswith(suffix)), None)
    return None if suffix is None else name.removesuffix(suffix)


def locate(name: str, token: str | None = None) -> Source:
    """The model that `name` stands for: `micro…`, a .gguf file, a folder, else a Hub id.

    A folder holds weights, an adapter, one .gguf file, or what an export left (its `merged` folder is taken).
    Raises UsageError for what is not there or not whole, RefusedError where the Hub asks for
    credentials, SqlRlError where it fails.
    """
    if name in MICRO_NAMES:
        return Source(name, "micro", name, {})
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise UsageError(
                f"{name} is a file, but no .gguf: give a folder with config.json, a .gguf file or a Hub id"
            )
        return Source(name, "gguf", str(path.absolute()), {})
    if path.is_dir():
        return _folder(name, path.absolute(), token)
    if name.startswith((".", "/", "~")) or name.endswith(".gguf") or name.count("/") > 1:
        raise UsageError(f"{name}: no such file or folder")
    return _hub(name, token)


def _folder(name: str, folder: Path, token: str | None) -> Source:
    if (folder / "config.json").is_file():
        if not any(True for pattern in _WEIGHTS for _ in folder.glob(pattern)):
            raise UsageError(f"{name} has a config.json but no weights (model.safetensors)")
        if not any(True for pattern in _TOKENIZERS for _ in folder.glob(pattern)):
            raise UsageError(
                f"{name} has no tokenizer: copy tokenizer.json and tokenizer_config.json of its base model"
            )
        return Source(name, "weights", str(folder), _read(folder / "config.json"))
    if (folder / "adapter_config.json").is_file():
        return _adapter(name, str(folder), _read(folder / "adapter_config.json"), token)
    if (folder / "merged" / "config.json").is_file():
        return _folder(name, folder / "merged", token)
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return Source(name, "gguf", str(files[0]), {})
    if files:
        raise UsageError(f"{name} has {len(files)} .gguf files; name one of {', '.join(f.name for f in files)}")
    raise UsageError(f"{name} is no model: it has no config.json, no adapter_config.json and no .gguf file")


def _adapter(name: str, place: str, config: dict, token: str | None) -> Source:
    base = config.get("base_model_name_or_path")
    if not base:
        raise UsageError(f"{name}: adapter_config.json does not name the base model (base_model_name_or_path)")
    try:
        return Source(name, "adapter", place, config, locate(base, token))
    except (UsageError, RefusedError) as error:
        raise type(error)(f"{name} is an adapter whose base model is not there: {error}") from error


def _hub(name: str, token: str | None) -> Source:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def config(file: str) -> dict:
        return _read(Path(hf_hub_download(name, file, token=token)))

    try:
        try:
            return Source(name, "weights", name, config("config.json"))
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:
            return _adapter(name, name, config("adapter_config.json"), token)
    except HFValidationError as error:
        raise UsageError(f"{name!r} is no folder, and no Hub id either (they look like owner/name)") from error
    except GatedRepoError as error:
        raise RefusedError(
            f"{name} is gated: accept its terms at https://huggingface.co/{name}, set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"{name}: no such folder, and no such model on the Hub (a private one needs HF_TOKEN)"
        ) from error
    except LocalEntryNotFoundError as error:
        # Not in the cache, and this is what the Hub said when it was asked; without an answer it was not reached.
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _http_failure(name, error.__cause__.response.status_code) from error
        raise UsageError(
            f"{name}: no such folder, not in the local cache, and the Hub is not reached; "
            "fetch it where there is a network (`hf download`), or give a folder, a .gguf file or micro"
        ) from error
    except EntryNotFoundError as error:
        raise UsageError(
            f"{name}: this Hub repository has no config.json; a .gguf of it has to be given as a file"
        ) from error
    except HfHubHTTPError as error:
        raise _http_failure(name, error.response.status_code) from error


def _http_failure(name: str, status: int) -> SqlRlError:
    if status in (401, 403):
        return RefusedError(f"{name}: the Hub refuses the token ({status}): set HF_TOKEN to one that may read it")
    return SqlRlError(f"{name}: the Hub answers {status}; try again later")


def _read(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: not a JSON object")
    return found
