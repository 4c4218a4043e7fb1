"""vLLM's engine as a part of this program: its arguments, its processes, and where its many words go.

The engine runs in processes of its own (`detached.py`), out of reach of a Ctrl-C that is meant for the run. What they
and vLLM's code in this process write goes to a log file: the terminal is the run's.
"""

import logging
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is started with. model: a Hub id or a folder. max_seq_length: tokens of prompt and completion.

    tensor_parallel_size: GPUs. gpu_memory_utilization: share of their memory that the engine may take. dtype: of the
    weights, 'auto' as they are stored. hf_token: for a model that is not open to all.
    """

    model: str
    max_seq_length: int
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9
    dtype: str = "auto"
    hf_token: str | None = field(default=None, repr=False)

    def arguments(self, on_cpu: bool) -> dict[str, Any]:
        """The arguments of vLLM's AsyncEngineArgs. on_cpu: compiling the model there takes longer than it saves."""
        return {
            "model": self.model,
            "max_model_len": self.max_seq_length,
            "tensor_parallel_size": self.tensor_parallel_size,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "dtype": self.dtype,
            "hf_token": self.hf_token,
            "enable_prefix_caching": True,
            "enforce_eager": on_cpu,
            "enable_log_requests": False,
        }


def start_engine(settings: EngineSettings, log: Path) -> "AsyncLLM":
    """Starts the engine; takes as long as its weights need. To be called in a thread: the loop goes on meanwhile.

    log: vLLM's own words are appended to it. Raises what vLLM raises (`vllm_problems.py` knows what it means).
    """
    with _written_to(log), _detached_children():
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        for handler in logging.getLogger("vllm").handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(log.open("a", buffering=1, encoding="utf-8"))
        on_cpu = current_platform.is_cpu()
        # The batch sizes of vllm.LLM: many tokens in one step, nobody waits for a first one. On a CPU such a step, and
        # the warm-up with it, takes minutes; a server's is half as large.
        sizes = UsageContext.OPENAI_API_SERVER if on_cpu else UsageContext.LLM_CLASS
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings.arguments(on_cpu)), usage_context=sizes)


def give_up_start(before: set[int | None]) -> None:
    """Ends the processes of an engine that is still starting, so that `start_engine` raises. before: not these."""
    for child in multiprocessing.active_children():
        if child.pid not in before:
            child.kill()


@contextmanager
def _written_to(log: Path) -> Iterator[None]:
    """Whatever this process and its new children write to stdout and stderr in the block goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(target)


@contextmanager
def _detached_children() -> Iterator[None]:
    """Processes that are spawned in the block start through `detached.py`."""
    resource_tracker.ensure_running()  # it has to outlive the engine: it cleans up after it
    program = Path(__file__).with_name("detached.py")
    python, before = sys.executable, spawn.get_executable()
    with tempfile.TemporaryDirectory(prefix="sql-rl-") as folder:
        script = Path(folder) / "python"
        script.write_text(f"#!/bin/sh\nexec '{python}' '{program}' '{python}' \"$@\"\n")
        script.chmod(0o700)
        multiprocessing.set_executable(str(script))
        method = os.environ.get("VLLM_WORKER_MULTIPROC_METHOD")
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # a fork would take the run's loop and threads along
        try:
            yield
        finally:
            multiprocessing.set_executable(before)
            if method is None:
                del os.environ["VLLM_WORKER_MULTIPROC_METHOD"]
            else:
                os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = method
