"""Groups: what has no spread, and replacing them: tensors of another length, padded on their own side."""

from random import Random

import pytest
import torch

from sql_rl.examples import Example
from sql_rl.settings import JudgeSettings, Settings, TrainSettings
from sql_rl.students import StudentSpec, open_student
from sql_rl.train import plan
from sql_rl.train.data import Row
from sql_rl.train.grpo import advantages, grpo_trainer, idle_groups, merged, no_spread
from sql_rl.train.jury import Jury
from sql_rl.train.rewards import Scored
from sql_rl.train.sampler import DifficultySampler
from sql_rl.train.scoring import Scoring
from sql_rl.train.tokens import tokenized

PAD = 9


def batch(prompts: list[list[int]], completions: list[list[int]], advantages: list[float]) -> dict:
    def padded(rows: list[list[int]], fill: int, left: bool) -> torch.Tensor:
        width = max(map(len, rows))
        return torch.tensor([[fill] * (width - len(r)) + r if left else r + [fill] * (width - len(r)) for r in rows])

    return {
        "prompt_ids": padded(prompts, PAD, left=True),
        "prompt_mask": padded([[1] * len(p) for p in prompts], 0, left=True),
        "completion_ids": padded(completions, PAD, left=False),
        "completion_mask": padded([[1] * len(c) for c in completions], 0, left=False),
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": torch.tensor(sum(map(len, completions))),
    }


def test_a_group_is_replaced_by_a_longer_and_a_shorter_one():
    old = batch([[1], [1], [2, 2], [2, 2]], [[3], [3, 3], [4, 4], [4]], [0.0, 0.0, 1.0, -1.0])
    new = batch([[5, 5, 5], [5, 5, 5]], [[6], [6]], [0.5, -0.5])
    found = merged(old, new, [0, 1], PAD)
    wanted = batch([[5, 5, 5], [5, 5, 5], [2, 2], [2, 2]], [[6], [6], [4, 4], [4]], [0.5, -0.5, 1.0, -1.0])
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name
    assert old["prompt_ids"].shape == (4, 2)  # what was merged is as it was


def test_groups_whose_rewards_are_all_equal():
    right, wrong, broken_gold = (1.0, 1.0), (0.05, 1.0), (None, None)
    assert no_spread([right, right, wrong, wrong, right, wrong, broken_gold, broken_gold], 2) == 3 / 4
    assert no_spread([right, wrong], 2) == 0
    assert idle_groups([right, right, wrong, right, broken_gold, broken_gold], 2) == [0, 2]


def test_advantages_are_trls():
    nan = None
    assert advantages([1, 0, 0.05, 0.05, nan, nan], 2, "none").tolist() == [0.5, -0.5, 0, 0, 0, 0]
    spread = torch.tensor([1, 0, 0.05, 0.05]).std().item() + 1e-4
    assert advantages([1, 0, 0.05, 0.05, nan, nan], 2, "batch").tolist() == pytest.approx(
        [0.5 / spread, -0.5 / spread, 0, 0, 0, 0]
    )
    assert advantages([1, 0, 0.1, 0], 2, "group").tolist() == pytest.approx(
        [0.7070, -0.7070, 0.7061, -0.7061], abs=1e-4
    )


@pytest.mark.parametrize("scale", ["batch", "group"])
def test_a_generation_with_replaced_groups_is_scaled_as_a_whole(tmp_path, scale):
    """By the real trainer: without replacements what TRL gives, and with them the same formula over what is there."""
    context = "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)"
    rows = [
        Row(Example(i, str(i), "", context, "SELECT a FROM t"), ({"role": "user", "content": f"{i}"},))
        for i in range(8)
    ]
    student = open_student(StudentSpec(model="micro"), [context, *map(str, range(8))])
    train = TrainSettings(
        model="micro",
        batch_size=8,
        gradient_accumulation_steps=1,
        num_generations=2,
        max_completion_length=8,
        scale_rewards=scale,
        save_steps=1,
        eval_steps=1,
    )

    random, drawn = Random(1), {}

    def reward(scored: Scored) -> float:
        """An untrained student writes nothing that is worth more than the rest."""
        return drawn.setdefault(id(scored), (random.choice([0.0, 0.0, 0.05, 1.0]), scored))[0]

    with Jury(JudgeSettings(workers=1)) as jury:
        scoring = Scoring(rows, jury, {"drawn": (reward, 1.0)}, 8)
        arguments = plan.grpo_arguments(
            Settings(train=train), tmp_path, len(rows), [1.0], student.trainer_arguments() | {"max_steps": 1}
        )
        for rounds in (0, 3):
            sampler = DifficultySampler(len(rows), 4, 2, 1, 1, seed=0)
            trainer = grpo_trainer(
                student, tokenized(rows, student.tokenizer), scoring, sampler, rounds, arguments, callbacks=[]
            )
            trainer.model.train()
            found = trainer._generate_and_score_completions([trainer.train_dataset[i] for i in sampler])
            wanted = advantages(scoring.totals(scoring.latest), 2, scale)
            assert torch.allclose(found["advantages"], wanted, atol=1e-5)
            assert wanted.any()
        assert len(trainer._metrics["train"]["groups/no_spread"]) > 1  # some were replaced
