"""Checkpoints: only whole ones count, another run's are refused, and metrics are cut where a run is carried on."""

import pytest

from sql_rl.errors import UsageError
from sql_rl.train.checkpoints import claim, clear, complete, last_checkpoint
from sql_rl.train.metrics import Lines


def test_the_last_whole_checkpoint_counts_and_broken_ones_go(tmp_path):
    for step in (5, 10, 15):
        (tmp_path / f"checkpoint-{step}").mkdir()
    complete(tmp_path / "checkpoint-5", {"best": None})
    complete(tmp_path / "checkpoint-10", {"best": {"ex": 0.5}})
    found = last_checkpoint(tmp_path)
    assert (found.step, found.state, found.path.name) == (10, {"best": {"ex": 0.5}}, "checkpoint-10")
    assert not (tmp_path / "checkpoint-15").exists()
    assert last_checkpoint(tmp_path / "nowhere") is None


def test_a_folder_is_claimed_by_one_run(tmp_path):
    claim(tmp_path, {"model": "micro", "learning_rate": 1e-3, "targets": ["q", "v"]})
    claim(tmp_path, {"model": "micro", "learning_rate": 1e-3, "targets": ["q", "v"]})
    with pytest.raises(UsageError, match=r"model was 'micro', now it is 'other'.*--no-resume"):
        claim(tmp_path, {"model": "other", "learning_rate": 1e-3, "targets": ["q", "v"]})
    (tmp_path / "sft").mkdir()
    (tmp_path / "run.json").write_text("{}")
    clear(tmp_path, ("sft", "run.json"))
    assert list(tmp_path.iterdir()) == []


def test_metrics_behind_a_checkpoint_are_cut(tmp_path):
    lines = Lines(tmp_path / "metrics.jsonl")
    for stage in ("sft", "grpo"):
        for step in (1, 2, 3):
            lines.add(stage, step, [{"loss": float("nan") if step == 3 else 0.5}])
    assert lines.read()[-1] == {"stage": "grpo", "step": 3, "loss": None}
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "grpo", "st')  # torn by kill -9
    lines.cut("grpo", 2, later=())
    assert [(r["stage"], r["step"]) for r in lines.read()] == [
        ("sft", 1),
        ("sft", 2),
        ("sft", 3),
        ("grpo", 1),
        ("grpo", 2),
    ]
    lines.cut("sft", 1, later=("grpo",))
    assert [(r["stage"], r["step"]) for r in lines.read()] == [("sft", 1)]
