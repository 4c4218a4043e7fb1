"""The figures of gpu_path.py's pieces: read from what the commands left, and set as Markdown."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

METRICS = ("spider", "spider_keep_distinct", "bird", "strict", "spider_suite", "suite")
EVALUATIONS = {"before": "before", "after-sft": "after SFT", "after-grpo": "after GRPO"}
STAGES = {"sft": "SFT", "grpo": "GRPO"}
BACKENDS = {"transformers": "TRL, transformers and PEFT", "unsloth": "TRL with Unsloth"}


def evaluated(folder: Path) -> dict[str, Any]:
    """Of a run of `evaluate`: each metric with its interval, greedy and voted, pass@k, tokens a second."""
    metrics, run = _json(folder / "metrics.json"), _json(folder / "run.json")
    comparison = folder / "comparison.json"
    return {
        "greedy": {name: metrics[name] for name in METRICS},
        "vote": {name: metrics["vote"][name] for name in METRICS},
        "samples": metrics["samples"],
        "pass_at_k": metrics["pass_at_k"]["suite"],
        "questions": run["questions"],
        "asked": run["settings"]["asked"]["provider"],
        "completion_tokens": run["completion_tokens"],
        "cut_off": run["cut_off"],
        "seconds": run["seconds"],
        "tokens_per_second": round(run["completion_tokens"] / run["seconds"], 1),
        "change": {name: _json(comparison)[name] for name in METRICS} if comparison.exists() else None,
    }


def trained(folder: Path) -> dict[str, Any]:
    """Of a run of `train`: how its steps went, stage by stage, and greedy EX on the watched rows."""
    run = _json(folder / "run.json")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found: dict[str, Any] = {"model": run["model"], "rows": run["rows"], "export": run["exported"]["verified"]}
    for stage in run["stages"]:
        found[stage] = _steps([line for line in lines if line["stage"] == stage])
    return found | {"reward_seconds_share": run["reward_seconds_share"]}


def _steps(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """tokens_per_second: of prompts and completions, over all steps. The first step compiles, and counts for nothing
    in the median. watched: step -> greedy EX."""
    steps = [line for line in lines if "loss" in line]
    seconds = [line["seconds/step"] for line in steps]
    rewards = [line["reward"] for line in steps if line.get("reward") is not None]
    return {
        "steps": len(steps),
        "seconds_per_step": median(seconds[1:] or seconds),
        "first_step_seconds": seconds[0],
        "tokens_per_second": round(steps[-1]["num_tokens"] / sum(seconds), 1),
        "loss": [steps[0]["loss"], steps[-1]["loss"]],
        "reward": [rewards[0], rewards[-1]] if rewards else None,
        "watched": {line["step"]: line["eval/ex"] for line in lines if "eval/ex" in line},
    }


def table(folder: Path, names: Sequence[str]) -> str:
    """Everything that is there so far, as Markdown. folder: of the pieces' files; names: in their order."""
    noted = {name: _json(folder / f"{name}.json") for name in names if (folder / f"{name}.json").exists()}
    done = {name: piece["result"] for name, piece in noted.items() if piece["state"] == "done"}
    parts = [_accuracies(done), _stages(done), _backends(noted), _pieces(noted)]
    last = next((piece for piece in reversed(noted.values()) if "machine" in piece), {})
    place = ", ".join(part for part in (last.get("gpu"), last.get("machine")) if part)
    return "\n\n".join([*filter(None, parts), place]) + "\n"


def _accuracies(done: dict[str, Any]) -> str:
    found = [name for name in EVALUATIONS if name in done]
    if not found:
        return ""
    lines = [f"| | {' | '.join(METRICS)} | tokens/s |", "|---" * (len(METRICS) + 2) + "|"]
    for name in found:
        piece, title = done[name], EVALUATIONS[name]
        rate = f"{piece['tokens_per_second']:,.0f} ({piece['asked']})"
        for how, label in (("greedy", "greedy"), ("vote", f"vote@{piece['samples']}")):
            cells = " | ".join(_share(piece[how][metric]) for metric in METRICS)
            lines.append(f"| {title}, {label} | {cells} | {rate if how == 'greedy' else ''} |")
        if piece["change"]:
            cells = " | ".join(_points(piece["change"][metric]) for metric in METRICS)
            lines.append(f"| change, greedy | {cells} | |")
    return "\n".join(lines)


def _stages(done: dict[str, Any]) -> str:
    found = [name for name in STAGES if name in done]
    if not found:
        return ""
    lines = ["| stage | steps | s/step | tokens/s | loss | reward | watched EX | rewards' share |", "|---" * 8 + "|"]
    for name in found:
        piece, steps = done[name], done[name][name]
        reward = " to ".join(f"{value:.3f}" for value in steps["reward"] or ())
        watched = [f"{100 * ex:.1f} %" for ex in steps["watched"].values()]
        share = piece["reward_seconds_share"]
        lines.append(
            f"| {STAGES[name]} | {steps['steps']} | {steps['seconds_per_step']:.2f} | "
            f"{steps['tokens_per_second']:,.0f} | {steps['loss'][0]:.2f} to {steps['loss'][1]:.2f} | {reward} | "
            f"{', '.join(watched)} | {'' if share is None else f'{100 * share:.2f} %'} |"
        )
    return "\n".join(lines)


def _backends(noted: dict[str, Any]) -> str:
    found = [name for name in BACKENDS if name in noted]
    if not found:
        return ""
    lines = ["| LoRA, the same steps | SFT, s/step | GRPO, s/step |", "|---|---|---|"]
    for name in found:
        piece = noted[name]
        if piece["state"] != "done":
            lines.append(f"| {BACKENDS[name]} | {piece['state']}: {piece.get('error', '')} | |")
            continue
        cells = (f"{piece['result'][stage]['seconds_per_step']:.2f}" for stage in STAGES)
        lines.append(f"| {BACKENDS[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _pieces(noted: dict[str, Any]) -> str:
    lines = ["| piece | state | seconds | calls |", "|---|---|---|---|"]
    lines += [f"| {n} | {p['state']} | {p['seconds']:.0f} | {p['calls']} |" for n, p in noted.items()]
    return "\n".join([*lines, f"| all | | {sum(piece['seconds'] for piece in noted.values()):.0f} | |"])


def _share(found: dict[str, Any]) -> str:
    low, high = (100 * bound for bound in found["ci95"])
    return f"{100 * found['accuracy']:.1f} ({low:.1f} to {high:.1f})"


def _points(found: dict[str, Any]) -> str:
    low, high = (100 * bound for bound in found["ci95"])
    return f"{100 * found['difference']:+.1f} ({low:+.1f} to {high:+.1f})"


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
