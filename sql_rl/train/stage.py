"""One stage of a run, SFT or GRPO: from its last checkpoint, or from its start, to its end, a signal, or a full disk.

Leaves <stage>/checkpoint-N while it goes, <stage>/best where it is watched, and <stage>/final with its weights.
"""

import errno
import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.errors import SqlRlError
from sql_rl.train.checkpoints import last_checkpoint
from sql_rl.train.metrics import Lines
from sql_rl.train.plan import is_main_process

if TYPE_CHECKING:
    from transformers import Trainer

    from sql_rl.students import Student
    from sql_rl.train.stop import Stop
    from sql_rl.train.watch import Keeper

MEMORY = (
    "lower train.batch_size (and raise gradient_accumulation_steps), set train.gradient_checkpointing or "
    "train.load_in_4bit, or lower train.gpu_memory_utilization, which is vLLM's share"
)
FREE_BYTES = 50_000_000  # a disk with less free than this after a failed write is taken to be full
METRICS = ("metrics.jsonl", "samples.jsonl")


def run_stage(
    trainer: "Trainer", keeper: "Keeper", stop: "Stop", folder: Path, stage: str, later: Sequence[str]
) -> None:
    """Trains to the end. later: the stages that come after, whose metrics an earlier try may have left.

    Raises StoppedEarlyError after a signal, when its checkpoint is whole; SqlRlError where the disk is full or CUDA's
    memory runs out: the last whole checkpoint stays.
    """
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # prints every step to stdout, which is the result's
    if is_main_process():
        checkpoint = last_checkpoint(folder / stage)
        for name in METRICS:
            Lines(folder / name).cut(stage, checkpoint.step if checkpoint else 0, later)
    together()  # before the others read what the first has put in order
    checkpoint = last_checkpoint(folder / stage)
    if checkpoint:
        keeper.restore(checkpoint.state)
    with guarded(folder, stage):
        trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
    stop.check(f"at step {trainer.state.global_step} of {stage}")


def hush() -> None:
    """The libraries' own progress bars would tear ours; what a run has to say, it says itself."""
    import datasets
    import transformers

    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no CUDA has been said
    # PEFT looks for a config beside a base that is a .gguf file; the vocabulary is never changed here.
    warnings.filterwarnings("ignore", message="Could not find a config file in")
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def together() -> None:
    """Where several processes train: none goes on before all are here."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def finish(student: "Student", folder: Path, stage: str) -> None:
    """Saves the stage's weights, whole or not at all, and drops its checkpoints, which nothing needs any more."""
    final, fresh = folder / stage / "final", folder / stage / ".final.new"
    shutil.rmtree(fresh, ignore_errors=True)
    with guarded(folder, stage):
        student.save(fresh)
    shutil.rmtree(final, ignore_errors=True)
    fresh.replace(final)
    for path in (folder / stage).glob("checkpoint-*"):
        shutil.rmtree(path)


def is_finished(folder: Path, stage: str) -> bool:
    return (folder / stage / "final").is_dir()


def load_weights(student: "Student", folder: Path) -> None:
    """Gives the student what `student.save` left in a folder: an adapter, or all weights."""
    from safetensors.torch import load_file

    adapter = folder / "adapter_model.safetensors"
    if adapter.exists():
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(student.model, load_file(adapter))
        return
    state: dict[str, Any] = {}
    for part in sorted(folder.glob("model*.safetensors")):
        state |= load_file(part)
    # Tied embeddings are saved once.
    student.model.load_state_dict(state, strict=False)
    student.model.tie_weights()


@contextmanager
def guarded(folder: Path, stage: str) -> Iterator[None]:
    """Memory that is not enough and a full disk become one line each. folder: of the run."""
    from sql_rl.students.memory import explaining_out_of_memory

    try:
        with explaining_out_of_memory(f"{stage}: {MEMORY}; the same command carries on"):
            yield
    except SqlRlError:
        raise
    except Exception as error:
        # safetensors and torch.save raise their own errors for it, so the disk itself is asked.
        if not _full(error, folder):
            raise
        raise SqlRlError(
            f"{folder}: the disk is full ({' '.join(str(error).split())}); what is whole is kept: make "
            "room and run the same command again"
        ) from error


def _full(error: BaseException, folder: Path) -> bool:
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, OSError) and error.errno in numbers:
        return True
    named = any(f"os error {n}" in str(error) for n in numbers) or "writing" in str(error)
    return named and (shutil.disk_usage(folder).free < FREE_BYTES or "os error" in str(error))
