"""SFT by TRL's trainer: answers are imitated, prompts are not. Heavy imports stand at the top, as in grpo.py."""

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from sql_rl.students import Student
from sql_rl.train.tokens import Tokens, sft_columns


def sft_trainer(
    student: Student, rows: Sequence[Tokens], arguments: dict[str, Any], callbacks: list[TrainerCallback]
) -> SFTTrainer:
    """A trainer ready to `train`. rows: each with an answer. arguments: of SFTConfig (`plan.sft_arguments`)."""
    return SFTTrainer(
        model=student.model,
        processing_class=student.tokenizer,
        args=SFTConfig(**arguments),
        train_dataset=Dataset.from_dict(sft_columns(rows)),
        callbacks=callbacks,
    )
