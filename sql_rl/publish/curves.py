"""The curves of a training run as pictures for its card: light PNG files, made of metrics.jsonl by matplotlib.

A picture is made only of what was logged; the same metrics give the same bytes, so that nothing is published twice.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Line = Mapping[str, Any]  # of metrics.jsonl: stage, step, and what was logged


@dataclass(frozen=True, slots=True)
class Curve:
    """One picture. keys: logged name -> what it is called in the legend; scale: what the values are multiplied by."""

    name: str
    stage: str
    title: str
    unit: str
    keys: Mapping[str, str]
    scale: float = 1.0


CURVES = (
    Curve("sft-loss", "sft", "SFT: loss", "nats a token", {"loss": "loss"}),
    Curve("reward", "grpo", "GRPO: mean reward of the rollouts", "reward", {
        "reward": "all parts", "rewards/execution/mean": "execution", "rewards/format/mean": "format"}),
    Curve("ex", "grpo", "GRPO: greedy execution accuracy on watched rows", "% of rows", {"eval/ex": "EX"}, 100),
    Curve("verdicts", "grpo", "GRPO: verdicts of the rollouts", "% of rollouts", {
        f"verdicts/{v}": v for v in ("match", "lucky", "mismatch", "error", "no_sql")}, 100),
    Curve("length", "grpo", "GRPO: length of the rollouts", "tokens", {
        "completions/mean_length": "mean", "completions/mean_terminated_length": "mean of those that ended"}),
)  # fmt: skip


def pictures(metrics: Sequence[Line]) -> dict[str, tuple[Curve, bytes]]:
    """Path in the repository -> the curve and its PNG, for each curve that the metrics have values of."""
    drawn = {}
    for curve in CURVES:
        if series := series_of(curve, metrics):
            drawn[f"curves/{curve.name}.png"] = (curve, _drawn(curve, series))
    return drawn


def series_of(curve: Curve, metrics: Sequence[Line]) -> dict[str, list[tuple[int, float]]]:
    """What the metrics have of a curve: name in the legend -> step and value; {} where nothing of it was logged."""
    lines = [line for line in metrics if line["stage"] == curve.stage]
    return {label: points for key, label in curve.keys.items() if (points := _points(lines, key, curve.scale))}


def _points(lines: Sequence[Line], key: str, scale: float) -> list[tuple[int, float]]:
    return [(line["step"], scale * line[key]) for line in lines if line.get(key) is not None]


def _drawn(curve: Curve, series: Mapping[str, list[tuple[int, float]]]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for label, points in series.items():
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, label=label, linewidth=1.4, marker="o" if len(steps) < 12 else None, markersize=3)
    axes.set(title=curve.title, xlabel="optimizer step", ylabel=curve.unit)
    axes.grid(alpha=0.3)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize="small")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    return file.getvalue()
