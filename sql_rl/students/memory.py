"""Memory: whether a model fits before it is loaded, and which setting to turn when it did not.

The estimate counts weights, gradients and optimizer state, which can be told from the model's shape alone; what the
activations take depends on the batch and comes on top. So a model that is refused cannot fit; one that is not, may.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sql_rl.errors import SqlRlError, UsageError
from sql_rl.students.student import Kind

GB = 1e9


def training_bytes(kind: Kind, weight_bytes: int) -> float:
    """Bytes that a parameter takes in training. weight_bytes: of one loaded weight.

    Full: the weight, its gradient and Adam's two moments. LoRA: the frozen weight (an adapter's own share is far below
    the error of all this). QLoRA: 4-bit NormalFloat with its scales (Dettmers et al. 2023: 4.13 bits), and the
    embeddings, which stay in 16 bits.
    """
    return {"full": 4.0 * weight_bytes, "lora": float(weight_bytes), "qlora": 0.7}[kind]


def free_memory(device: str) -> int:
    """Bytes that are free on 'cuda' (this process's device) or 'cpu' (of the machine and of this control group)."""
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info(device_of_process(device))[0]
    import psutil

    free = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        free = min(free, max(0, int(text) - int(used.read_text())))
    return free


def parameters(place: str, token: str | None = None) -> int:
    """How many parameters a model has by its config: no weight is read. place: a folder or a Hub id.

    Raises UsageError for a config that transformers cannot make a language model of.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(place, token=token)).num_parameters()
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UsageError(f"{place}: transformers knows no such model for text: {first}") from error


def check_fits(name: str, count: int, bytes_each: float, free: int, way_out: str) -> None:
    """Raises UsageError with both numbers if `count` parameters at `bytes_each` do not fit into `free` bytes."""
    needed = count * bytes_each
    if needed > free:
        raise UsageError(
            f"{name} has {count / GB:.2f} billion parameters and needs at least {needed / GB:.1f} GB of memory, "
            f"but {free / GB:.1f} GB are free: {way_out}"
        )


@contextmanager
def explaining_out_of_memory(way_out: str) -> Iterator[None]:
    """Turns a GPU's or the machine's out-of-memory error into one line with the way out: the settings to turn."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        said = (str(error) or "out of memory").partition("\n")[0]
        # torch has no class of its own for what a CPU cannot allocate.
        if isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError):
            _, allocator, said = said.partition("DefaultCPUAllocator: ")
            if not allocator:
                raise
        first = said.partition(". ")[0]
        raise SqlRlError(f"out of memory: {first}; {way_out}") from error


def device_of_process(device: str) -> str:
    """Of several processes on a machine (`accelerate launch`) each has a GPU of its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


def device_name() -> str:
    """'cuda' where there is a GPU that this torch can use, else 'cpu'."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
