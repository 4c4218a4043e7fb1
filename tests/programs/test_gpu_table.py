"""The GPU benchmark's tables, from files as `evaluate` and `train` leave them."""

import json
from pathlib import Path
from typing import Any

from benchmarks.gpu_table import METRICS, evaluated, table, trained

SHARE = {"accuracy": 0.25, "ci95": [0.2, 0.3]}
POINTS = {"difference": -0.05, "ci95": [-0.1, 0.01]}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def evaluation(folder: Path) -> dict[str, Any]:
    each = dict.fromkeys(METRICS, SHARE)
    write(folder / "metrics.json", each | {"vote": each, "samples": 8, "pass_at_k": {"suite": {"1": 0.25}}})
    write(
        folder / "run.json",
        {
            "questions": 4,
            "settings": {"asked": {"provider": "vllm"}},
            "completion_tokens": 5000,
            "cut_off": 0,
            "seconds": 4.0,
        },
    )
    write(folder / "comparison.json", dict.fromkeys(METRICS, POINTS))
    return evaluated(folder)


def training(folder: Path) -> dict[str, Any]:
    steps = [
        {"stage": "grpo", "step": n, "loss": 0.1 * n, "reward": 0.1 * n, "num_tokens": 100.0 * n, "seconds/step": s}
        for n, s in ((1, 9.0), (2, 1.0), (3, 2.0))
    ]
    lines = [{"stage": "grpo", "step": 0, "eval/ex": 0.125}, *steps]
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = {"model": {}, "rows": {}, "exported": {"verified": True}, "stages": ["grpo"], "reward_seconds_share": 0.005}
    write(folder / "run.json", run)
    return trained(folder)


def noted(state: str, result: Any = None, **more: Any) -> dict[str, Any]:
    return {"state": state, "result": result, "seconds": 10.0, "calls": 1, "machine": "a machine", **more}


def test_the_first_step_counts_for_nothing_in_the_median(tmp_path: Path):
    steps = training(tmp_path / "run")["grpo"]
    assert (steps["steps"], steps["first_step_seconds"], steps["seconds_per_step"]) == (3, 9.0, 1.5)
    assert steps["tokens_per_second"] == 25.0  # 300 tokens in 12 seconds
    assert steps["watched"] == {0: 0.125}


def test_pieces_that_are_there_are_set_as_tables(tmp_path: Path):
    write(tmp_path / "before.json", noted("done", evaluation(tmp_path / "eval")))
    write(tmp_path / "grpo.json", noted("done", training(tmp_path / "run")))
    write(tmp_path / "unsloth.json", noted("failed", error="no CUDA", gpu="a GPU"))
    text = table(tmp_path, ["before", "sft", "grpo", "unsloth"])
    each = " | ".join(["25.0 (20.0 to 30.0)"] * len(METRICS))
    assert f"| before, greedy | {each} | 1,250 (vllm) |" in text
    assert f"| before, vote@8 | {each} |  |" in text
    assert f"| change, greedy | {' | '.join(['-5.0 (-10.0 to +1.0)'] * len(METRICS))} | |" in text
    assert "| GRPO | 3 | 1.50 | 25 | 0.10 to 0.30 | 0.100 to 0.300 | 12.5 % | 0.50 % |" in text
    assert "| TRL with Unsloth | failed: no CUDA | |" in text
    assert "| all | | 30 | |" in text and "sft" not in text
    assert text.endswith("a GPU, a machine\n")
