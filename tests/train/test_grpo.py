"""Groups: what has no spread, and replacing them: tensors of another length, padded on their own side."""

import torch

from sql_rl.train.grpo import idle_groups, merged, no_spread

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
