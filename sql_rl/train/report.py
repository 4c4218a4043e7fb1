"""run.json and the closing words of a run: the table of before and after, with intervals."""

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sql_rl import __version__
from sql_rl.evaluate.intervals import paired
from sql_rl.publish.report import place
from sql_rl.settings import Settings
from sql_rl.students import Student
from sql_rl.terminal.summary import Line, Summary
from sql_rl.train.dataset import Dataset
from sql_rl.train.metrics import Lines


def run_json(
    settings: Settings,
    dataset: Dataset,
    student: Student,
    stages: Sequence[str],
    evaluations: Mapping[str, Any],
    folder: Path,
    exported: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of run.json. evaluations: 'before' or a stage -> greedy EX on the test rows, with `right` per row."""
    return {
        "command": "train",
        "status": "finished",
        "source": {"title": dataset.title, "on_hub": dataset.on_hub, "license": dataset.license},
        "model": {
            "name": student.name,
            "backend": student.backend,
            "kind": student.kind,
            "parameters": sum(p.numel() for p in student.model.parameters()),
            "trained_parameters": sum(p.numel() for p in student.model.parameters() if p.requires_grad),
        },
        "rows": {
            "learn": len(dataset.learn),
            "watch": len(dataset.watch),
            "test": len(dataset.test),
            "left_out": {reason: count for reason, count in dataset.left_out.items() if count},
        },
        "stages": list(stages),
        "evaluations": {name: {k: v for k, v in e.items() if k != "right"} for name, e in evaluations.items()},
        "differences": differences(evaluations),
        "reward_seconds_share": reward_share(Lines(folder / "metrics.jsonl").read()),
        "exported": dict(exported),
        "settings": {
            "train": dataclasses.asdict(settings.train),
            "judge": dataclasses.asdict(settings.judge),
            "max_prompt_length": settings.max_prompt_length,
            "max_seq_length": settings.max_seq_length,
            "dataset": dataset.identity,
            "version": __version__,
        },
    }


def differences(evaluations: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each evaluation against the one before it, on the same rows, and the last against the first."""
    names = list(evaluations)
    pairs = list(pairwise(names)) + ([(names[0], names[-1])] if len(names) > 2 else [])
    found = []
    for first, second in pairs:
        against = paired(evaluations[first]["right"], evaluations[second]["right"])
        found.append({"from": first, "to": second} | dataclasses.asdict(against) | {"ci95": list(against.ci95)})
    return found


def reward_share(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Of the time of all GRPO steps, the share spent on rewards; None without any."""
    steps = [line for line in lines if line["stage"] == "grpo" and "seconds/rewards" in line]
    total = sum(line["seconds/step"] for line in steps)
    return round(sum(line["seconds/rewards"] for line in steps) / total, 5) if total else None


def closing(folder: Path, summary: Mapping[str, Any], unchanged: bool, published: str | None = None) -> Summary:
    """What `train` prints at its end. published: the URL of the repository that has it now."""
    lines = [
        Line(f"EX {name}", f"{100 * e['ex']:.1f} %", f"of {e['rows']} test rows, {_interval(e['ci95'])}")
        for name, e in summary["evaluations"].items()
    ]
    lines += [
        Line(f"{d['from']} to {d['to']}", f"{100 * d['difference']:+.1f}", f"points, {_interval(d['ci95'])}")
        for d in summary["differences"]
    ]
    share = summary["reward_seconds_share"]
    notes = [f"{summary['seconds']:.0f} s" + (f", rewards {100 * share:.1f} % of GRPO's steps" if share else "")]
    notes += [f"left out: {reason} {count}" for reason, count in summary["rows"]["left_out"].items()]
    notes += place(folder)
    notes += [f"published: {published}"] if published else []
    said = "finished before, nothing to do" if unchanged else "finished"
    return Summary(
        title=f"{folder}: {said}",
        content=dict(summary),
        lines=lines,
        notes=notes,
        next=f"uv run main.py chat --provider local --model {folder / summary['exported']['merged']}",
    )


def _interval(ci95: Sequence[float]) -> str:
    return f"95 % interval {100 * ci95[0]:.1f} to {100 * ci95[1]:.1f}"
