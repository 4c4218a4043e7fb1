"""How many workers, and what each has of the limits."""

import dataclasses
from typing import Any

import pytest

from sql_rl.distill.cluster.share import Layout, Node, layout, share, split
from sql_rl.errors import UsageError
from sql_rl.settings import DistillSettings, JudgeSettings, Settings

TWO_OF_EIGHT = [Node(8), Node(8)]
GPUS = [Node(16, 4), Node(8, 2), Node(4)]


def settings(**distill: Any) -> Settings:
    return Settings(distill=DistillSettings(**{"batch_size": 64, **distill}))


@pytest.mark.parametrize(
    ("nodes", "options", "expected"),
    [
        (TWO_OF_EIGHT, {}, Layout(4, 4, 0)),
        ([Node(2)], {}, Layout(1, 2, 0)),
        ([Node(0), Node(6)], {}, Layout(1, 4, 0)),
        ([Node(2), Node(8)], {}, Layout(3, 2, 0)),
        (TWO_OF_EIGHT, {"ray_workers": 2}, Layout(2, 4, 0)),
        ([Node(3), Node(3)], {"ray_workers": 2}, Layout(2, 3, 0)),
        (TWO_OF_EIGHT, {"ray_workers": 16}, Layout(16, 1, 0)),
        ([Node(2)], {"ray_workers": 5}, Layout(5, 1, 0)),
        (TWO_OF_EIGHT, {"batch_size": 3}, Layout(3, 4, 0)),
        (TWO_OF_EIGHT, {"rpm": 2}, Layout(2, 4, 0)),
        (GPUS, {"provider": "vllm"}, Layout(6, 4, 1)),
        (GPUS, {"provider": "vllm", "ray_workers": 2}, Layout(2, 4, 1)),
    ],
)
def test_the_layout(nodes: list[Node], options: dict[str, Any], expected: Layout):
    assert layout(nodes, settings(**options)) == expected


def test_a_model_over_two_gpus_has_one_worker_for_two():
    wanted = dataclasses.replace(settings(provider="vllm"), tensor_parallel_size=2)
    assert layout(GPUS, wanted) == Layout(3, 4, 2)


def test_a_model_that_no_node_can_hold_is_told():
    wanted = dataclasses.replace(settings(provider="vllm"), tensor_parallel_size=8)
    with pytest.raises(UsageError, match=r"tensor_parallel_size is 8, .* \(most: 4\)"):
        layout(GPUS, wanted)


@pytest.mark.parametrize(("total", "parts", "expected"), [(7, 3, [3, 2, 2]), (6, 3, [2, 2, 2]), (3, 3, [1, 1, 1])])
def test_a_limit_is_split_to_the_last_one(total: int, parts: int, expected: list[int]):
    assert split(total, parts) == expected


def test_shares_add_up_to_the_limits_of_the_run():
    whole, three = settings(batch_size=10, rpm=100, tpm=None), Layout(3, 2, 0)
    parts = [share(whole, three, number) for number in range(3)]
    assert [part.distill.batch_size for part in parts] == [4, 3, 3]
    assert [part.distill.rpm for part in parts] == [34, 33, 33]
    assert [part.distill.tpm for part in parts] == [None] * 3
    assert [part.judge.workers for part in parts] == [2] * 3


def test_a_stated_number_of_judges_is_kept():
    whole = dataclasses.replace(settings(), judge=JudgeSettings(workers=7))
    assert share(whole, Layout(2, 4, 0), 1).judge.workers == 7
