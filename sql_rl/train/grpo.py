"""GRPO by TRL's trainer, with what it lacks: prompts as token ids, our sampler, and other questions for idle groups.

Heavy imports stand at the top: this module is imported once the settings are checked.

GRPO: Shao et al. 2024 (DeepSeekMath); groups without spread asked anew: Yu et al. 2025 (DAPO, dynamic sampling).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from peft import set_peft_model_state_dict
from safetensors.torch import load_file
from torch.nn.functional import pad
from torch.utils.data import Sampler
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import nanstd

from sql_rl.students import Student
from sql_rl.train.sampler import DifficultySampler
from sql_rl.train.scoring import PASSED, Scoring
from sql_rl.train.tokens import Tokens, grpo_columns

Batch = dict[str, torch.Tensor | Any]
PAD_LEFT = ("prompt_ids", "prompt_mask")


class VerdictTrainer(GRPOTrainer):
    """TRL's trainer over token ids, with a sampler that learns what each generation showed.

    resample: rounds in which groups without spread are replaced by other questions.
    """

    def __init__(self, *, sampler: DifficultySampler, scoring: Scoring, resample: int, **arguments: Any) -> None:
        self._sampler, self._scoring, self._resample = sampler, scoring, resample
        self._asked: list[dict[str, Any]] = []
        super().__init__(**arguments)

    def _get_train_sampler(self, dataset: Dataset | None = None) -> Sampler:
        return self._sampler  # TRL's own repeats each row in the same way, but in a fixed order

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [row["prompt_ids"] for row in self._asked], None, {}

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        batch = self._generation(inputs)
        rollouts = self._scoring.latest
        for _ in range(self._resample):
            copies = self.num_generations
            idle = idle_groups([tuple(r.rewards.values()) for r in rollouts], copies)
            if not idle:
                break
            others = [self.train_dataset[row] for row in self._sampler.draw(len(idle)) for _ in range(copies)]
            fresh = self._generation(others)
            replaced = [group * copies + i for group in idle for i in range(copies)]
            batch = merged(batch, fresh, replaced, self.processing_class.pad_token_id)
            for position, rollout in zip(replaced, self._scoring.latest, strict=True):
                rollouts[position] = rollout
            # Those of the fresh groups were divided by the spread of the fresh groups alone.
            totals = self._scoring.totals(rollouts)
            batch["advantages"] = advantages(totals, copies, self.scale_rewards).to(batch["advantages"])
        self._scoring.latest = rollouts
        return batch

    def _generation(self, inputs: list[dict[str, Any]]) -> Batch:
        """One generation, scored, its pass rates told to the sampler (of every process, so that all draw alike)."""
        self._asked = inputs
        batch = super()._generate_and_score_completions(inputs)
        told = [(r.row, r.scored.judgement.verdict == PASSED, tuple(r.rewards.values())) for r in self._scoring.latest]
        seen = gather_object(told)
        self._sampler.saw([row for row, _, _ in seen], [passed for _, passed, _ in seen])
        # TRL's own figure is of the whole batch where advantages are scaled by its spread.
        self._metrics["train"]["groups/no_spread"].append(no_spread([r for _, _, r in seen], self.num_generations))
        for name, share in self._sampler.shares().items():
            self._metrics["train"][f"pools/{name}"].append(share)
        return batch

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Where there is a reference adapter (beta), it lies in a subfolder, and transformers then reads no other."""
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        trained = Path(resume_from_checkpoint) / "adapter_model.safetensors"
        if trained.exists():
            set_peft_model_state_dict(self.accelerator.unwrap_model(self.model), load_file(trained))


def idle_groups(rewards: Sequence[tuple[float | None, ...]], copies: int) -> list[int]:
    """The groups, each of `copies` completions in a row, in which all have the same rewards.

    Their advantages are zero but for rounding: the mean of eight times 1.05 is not 1.05 in 32 bits.
    """
    groups = [set(rewards[start : start + copies]) for start in range(0, len(rewards), copies)]
    return [i for i, group in enumerate(groups) if len(group) == 1]


def no_spread(rewards: Sequence[tuple[float | None, ...]], copies: int) -> float:
    """The share of such groups."""
    return len(idle_groups(rewards, copies)) * copies / len(rewards)


def advantages(rewards: Sequence[float | None], copies: int, scale: str) -> torch.Tensor:
    """What TRL makes of rewards, each group of `copies` in a row: their distance from the group's mean, divided by the
    standard deviation of the group, of all (scale 'batch'), or by nothing ('none'). None counts for nothing: 0."""
    grouped = torch.tensor([torch.nan if reward is None else reward for reward in rewards]).view(-1, copies)
    found = grouped - grouped.nanmean(dim=1, keepdim=True)
    if scale != "none":
        found /= (nanstd(grouped, dim=1, keepdim=True) if scale == "group" else nanstd(grouped)) + 1e-4
    return found.nan_to_num(nan=0.0).flatten()


def merged(batch: Batch, fresh: Batch, positions: Sequence[int], pad_id: int) -> Batch:
    """A generation with the rows at `positions` replaced by those of another, all padded to the same lengths.

    num_items_in_batch, the tokens that count, is counted anew.
    """
    found = dict(batch)
    where = torch.tensor(positions, device=batch["advantages"].device)
    for name, kept in batch.items():
        if not isinstance(kept, torch.Tensor) or kept.dim() == 0:
            continue
        pair = [kept, fresh[name]]
        if kept.dim() == 2:
            width = max(t.shape[1] for t in pair)
            fill = pad_id if name.endswith("_ids") else 0
            pair = [_padded(t, width, fill, left=name in PAD_LEFT) for t in pair]
        found[name] = pair[0].index_copy(0, where, pair[1])
    found["num_items_in_batch"] = found["completion_mask"].sum()
    return found


def _padded(tensor: torch.Tensor, width: int, fill: int, left: bool) -> torch.Tensor:
    missing = width - tensor.shape[1]
    return pad(tensor, (missing, 0) if left else (0, missing), value=fill)


def grpo_trainer(
    student: Student,
    rows: Sequence[Tokens],
    scoring: Scoring,
    sampler: DifficultySampler,
    resample: int,
    arguments: dict[str, Any],
    callbacks: list[TrainerCallback],
) -> VerdictTrainer:
    """A trainer ready to `train`. arguments: of GRPOConfig (`plan.grpo_arguments`)."""
    return VerdictTrainer(
        sampler=sampler,
        scoring=scoring,
        resample=resample,
        model=student.model,
        processing_class=student.tokenizer,
        reward_funcs=scoring.functions(),
        args=GRPOConfig(**arguments),
        train_dataset=Dataset.from_dict(grpo_columns(rows, student.tokenizer)),
        callbacks=callbacks,
    )
