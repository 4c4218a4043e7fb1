"""GGUF: a quantized file becomes plain 16-bit weights, once; later starts find them in the user's cache.

Reading the vocabulary of a GGUF takes minutes in Python, training needs dense weights, and every loader knows what
to do with a folder of safetensors: so the file is unpacked into one.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from sql_rl.errors import UsageError
from sql_rl.students.gguf_tokenizer import read_tokenizer
from sql_rl.students.memory import GB, free_memory

MANNER = "2"  # of unpacking: what was kept by an earlier one is not used


def cache_folder() -> Path:
    """Where unpacked files are kept: $XDG_CACHE_HOME/sql-rl/gguf, by default below ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sql-rl" / "gguf"


def unpacked(file: Path, cache: Path | None = None) -> Path:
    """A folder with the weights (bfloat16), config and tokenizer of a .gguf file.

    Kept by path, size and time of change of the file; written whole or not at all. cache: default `cache_folder()`.
    Raises UsageError for a file that is none, or of an architecture that transformers does not read.
    """
    stat = file.stat()
    key = hashlib.sha256(f"{MANNER}\0{file.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()[:12]
    folder = (cache or cache_folder()) / f"{file.stem}-{key}"
    if (folder / "config.json").is_file():
        return folder
    if file.open("rb").read(4) != b"GGUF":
        raise UsageError(f"{file} is no GGUF file (its first bytes are not GGUF)")
    if stat.st_size > (free := free_memory("cpu")):
        raise UsageError(
            f"{file} needs more than its {stat.st_size / GB:.1f} GB of memory, but {free / GB:.1f} GB are free: "
            "take a smaller model"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{file.stem}-"))
    try:
        unpack(file, part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part)
        raise
    return folder


def unpack(file: Path, folder: Path) -> None:
    """Writes the weights (bfloat16), config and tokenizer of a .gguf file into a folder. Raises UsageError."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    tokenizer = read_tokenizer(file)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        )
    # An architecture or a tensor type that its GGUF reader does not know: it raises any of these.
    except (ValueError, KeyError, NotImplementedError) as error:
        raise UsageError(f"{file}: transformers cannot read it: {error}") from error
    # It is dense by now, but would be saved as if it were still quantized, which is refused.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
