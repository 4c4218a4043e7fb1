"""Memory: what is refused before it is loaded, and what is said when there was too little."""

import pytest

from sql_rl.errors import SqlRlError, UsageError
from sql_rl.students.memory import check_fits, explaining_out_of_memory, free_memory, training_bytes


@pytest.mark.parametrize(
    ("kind", "weight", "each"), [("full", 4, 16), ("lora", 2, 2), ("lora", 4, 4), ("qlora", 2, 0.7)]
)
def test_bytes_in_training(kind: str, weight: int, each: float) -> None:
    assert training_bytes(kind, weight) == each


def test_both_numbers() -> None:
    check_fits("it", 10, 2.0, 20, "")
    with pytest.raises(UsageError) as refusal:
        check_fits("unsloth/Phi-4", 14_660_000_000, 4.0, 21_000_000_000, "take a smaller model")
    assert str(refusal.value) == (
        "unsloth/Phi-4 has 14.66 billion parameters and needs at least 58.6 GB of memory, "
        "but 21.0 GB are free: take a smaller model"
    )


def test_free_memory() -> None:
    import psutil

    assert 0 < free_memory("cpu") <= psutil.virtual_memory().total


def test_free_memory_of_the_gpu_of_this_process(monkeypatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "mem_get_info", {"cuda:0": (10, 80), "cuda:1": (70, 80)}.__getitem__)
    assert free_memory("cuda") == 10
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert free_memory("cuda") == 70


def test_out_of_memory_names_the_knobs() -> None:
    import torch

    with (
        pytest.raises(
            SqlRlError, match=r"^out of memory: can't allocate memory: .*; lower train.batch_size$"
        ) as failure,
        explaining_out_of_memory("lower train.batch_size"),
    ):
        torch.empty(10**15)
    assert failure.value.exit_code == 1
    with pytest.raises(SqlRlError, match=r"out of memory: CUDA out of memory; x"), explaining_out_of_memory("x"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has ...")


def test_other_failures_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"), explaining_out_of_memory("x"):
        raise RuntimeError("shape mismatch")
