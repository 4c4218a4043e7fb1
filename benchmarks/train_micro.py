"""Does reinforcement make a student better? `main.py train --model micro` on a CPU, SFT cut short, then GRPO.

    python benchmarks/train_micro.py [--seeds 0 1 2] [--work FOLDER] [--from-rows 6000]

Writes rows of five schemas (tools/make_sample.py; short ones: tables and no data, a line of reasoning), and runs the
real command once for each seed: a 2-million-parameter model from scratch, SFT until three in ten of the watched rows
are right, then GRPO with the judge's verdicts as its reward. Prints greedy EX on 400 held-out questions, which neither
stage has seen and no checkpoint was chosen by, after SFT and after GRPO, with the paired 95 % interval (Newcombe).
What is in FOLDER already is used again, and a run in it is carried on.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from make_sample import make_rows  # noqa: E402

from sql_rl.prompts import completion  # noqa: E402
from sql_rl.teachers.narrate import narrate  # noqa: E402

DOMAINS = ("museum loans", "human resources", "regional aviation", "mountain weather", "handball league")
TEMPLATES = {"system": "$style", "style-free": "Write SQL.", "user": "$context\n$question"}
HELD_OUT = 500  # rows: 100 are watched, 400 tell before from after
LONGEST = {"context": 260, "sql": 110, "reasoning": 160}  # characters
CONFIG: dict[str, Any] = {
    "max_prompt_length": 300,
    "max_seq_length": 512,
    "train": {
        "model": "micro",
        "eval_rows": 100,
        "test_rows": 400,
        "eval_batch_size": 100,
        "warmup_ratio": 0.02,
        "sft_learning_rate": 3e-3,
        "sft_max_steps": 2000,
        "sft_eval_steps": 50,
        "sft_stop_at": 0.3,
        "batch_size": 16,
        "sft_gradient_accumulation_steps": 1,
        "gradient_accumulation_steps": 4,
        "grpo_learning_rate": 2e-4,
        "grpo_max_steps": 100,
        "num_generations": 8,
        "temperature": 0.8,
        "max_completion_length": 100,
        "reward_match": 1.0,
        "reward_lucky": 0.05,
        "reward_mismatch": 0.05,
        "reward_failed": 0.0,
        "format_weight": 0.0,
        "eval_steps": 25,
        "save_steps": 50,
    },
}


def short_rows(count: int) -> Iterator[dict[str, Any]]:
    """Of so many rows of the generator, those that are short: schemas of the tables that are needed, without data."""
    for row in islice(make_rows(1, "train", sound=True, names=DOMAINS), count):
        if not row["sql"].startswith("SELECT") or row["sql"].startswith("SELECT TOP"):  # no other dialects here
            continue
        used = {t.name for t in sqlglot.parse_one(row["sql"], read="sqlite").find_all(exp.Table)}
        statements = [s.strip() for s in re.split(r";\s*", row["sql_context"])]
        context = "\n".join(f"{s};" for s in statements if _created(s) in used)
        if len(used) > 2:
            continue
        steps = re.findall(r"^\d+\. (.*)$", narrate(row["sql_prompt"], context, row["sql"], "query-plan"), re.MULTILINE)
        found = {"context": context, "sql": row["sql"], "reasoning": " ".join(steps)}
        if context and all(len(text) <= LONGEST[name] for name, text in found.items()):
            yield {
                "id": row["id"],
                "domain": row["domain"],
                "sql_prompt": row["sql_prompt"],
                "sql_context": context,
                "sql": row["sql"],
                "generation": completion(found["reasoning"], row["sql"]),
                "validation": "valid",
            }


def _created(statement: str) -> str:
    name = re.match(r"CREATE TABLE (\w+)", statement)
    return name.group(1) if name else ""


def prepare(work: Path, count: int) -> Path:
    """Rows to learn and rows held out, prompt templates and config in the folder; the config's path.

    The schemas are the same on both sides, the questions are not: a model of this size, from scratch, cannot read a
    schema that it has never seen.
    """
    rows, held = work / "rows.jsonl", work / "held-out.jsonl"
    if not (rows.exists() and held.exists()):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in short_rows(count)]
        random.Random(0).shuffle(lines)
        held.write_text("".join(lines[:HELD_OUT]), encoding="utf-8")
        rows.write_text("".join(lines[HELD_OUT:]), encoding="utf-8")
    templates = work / "templates"
    templates.mkdir(exist_ok=True)
    for name, text in TEMPLATES.items():
        (templates / f"{name}.md").write_text(text)
    config = work / "config.yaml"
    places = {"dataset_repo_id": str(rows), "eval_dataset": str(held), "templates": str(templates)}
    stated = CONFIG | {"train": CONFIG["train"] | places}
    config.write_text(yaml.safe_dump(stated))
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "train-micro")
    parser.add_argument("--from-rows", type=int, default=6000, help="rows of the generator to take from (%(default)s)")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    config = prepare(options.work, options.from_rows)
    print("| seed | SFT steps | EX after SFT | EX after GRPO | points (95 %) | seconds | GRPO step | rewards' share |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in options.seeds:
        out = options.work / f"seed-{seed}"
        started = time.monotonic()
        command = [sys.executable, str(ROOT / "main.py"), "train", "--config", str(config), "--seed", str(seed)]
        with (options.work / f"seed-{seed}.log").open("a") as log:
            subprocess.run([*command, "--output-dir", str(out)], check=True, stdout=log, stderr=log)
        print(_row(seed, out, time.monotonic() - started), flush=True)


def _row(seed: int, out: Path, seconds: float) -> str:
    summary = json.loads((out / "run.json").read_text())
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [m["seconds/step"] for m in metrics if m["stage"] == "grpo" and "reward" in m]
    sft = max(m["step"] for m in metrics if m["stage"] == "sft")
    before, after = (100 * summary["evaluations"][stage]["ex"] for stage in ("sft", "grpo"))
    gain = summary["differences"][-1]
    points, low, high = (100 * value for value in (gain["difference"], *gain["ci95"]))
    return (
        f"| {seed} | {sft} | {before:.1f} % | {after:.1f} % | {points:+.1f} ({low:+.1f} to {high:+.1f})"
        f" | {seconds:.0f} | {sum(steps) / len(steps):.2f} s | {100 * summary['reward_seconds_share']:.1f} % |"
    )


if __name__ == "__main__":
    main()
