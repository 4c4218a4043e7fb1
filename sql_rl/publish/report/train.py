"""What a training has to show: before and after, the curves of both stages, and what the student wrote on its way."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sql_rl.publish.curves import CURVES, Curve, series_of
from sql_rl.publish.report.page import Fact, Page, Table
from sql_rl.publish.report.plots import GREEN, VERDICTS, Bar, Plot, bars, lines
from sql_rl.publish.report.rows import Browser, Field, browser, clipped, evenly
from sql_rl.runs.folder import RunFolder
from sql_rl.train.metrics import Lines

MOST_SAMPLES = 10_000
_KINDS = {"lora": "LoRA", "qlora": "QLoRA", "full": "all weights"}
PARTS_OF_TRAINING = 6  # what the samples' steps can be chosen by
# Beside those on the model's card.
MORE_CURVES = (
    Curve("sft-ex", "sft", "SFT: greedy execution accuracy on watched rows", "% of rows", {"eval/ex": "EX"}, 100),
    Curve("truncated", "grpo", "GRPO: rollouts that were cut off", "% of rollouts", {
        "completions/clipped_ratio": "cut off"}, 100),
    Curve("spread", "grpo", "GRPO: groups without a spread of rewards", "% of groups", {
        "groups/no_spread": "no spread"}, 100),
)  # fmt: skip
CAPTIONS = {
    "sft-loss": "Mean loss of a token of the answers, at each logged step of imitation.",
    "sft-ex": "Share of held-out questions that the student answers right while it imitates, without sampling.",
    "reward": "Mean reward of each step's rollouts, all parts together by their weights, and each part by itself.",
    "ex": "Share of held-out questions that the student answers right, without sampling: what training is for.",
    "verdicts": "What the judge said of each step's rollouts.",
    "length": "Mean length of each step's rollouts, and of those that ended by themselves.",
    "truncated": "Share of each step's rollouts that reached the longest length allowed before they ended.",
    "spread": "Share of groups in which all rewards are equal: nothing is learned from them.",
}

FIELDS = (
    Field("reason", "What the judge says"),
    Field("text", "What the student wrote"),
    Field("sql", "Its query", "sql", half=True),
    Field("rewards", "Rewards", half=True),
)


def page(folder: RunFolder, summary: Mapping[str, Any]) -> Page:
    """The report of a folder that `train` left."""
    metrics = Lines(folder.path / "metrics.jsonl").read()
    model, rows, evaluations = summary["model"], summary["rows"], summary["evaluations"]
    last = list(evaluations.values())[-1] if evaluations else None
    gain = summary["differences"][-1] if summary["differences"] else None
    facts = [
        Fact(f"{model['parameters']:,}", "parameters", f"{model['trained_parameters']:,} of them trained"),
        Fact(f"{rows['learn']:,}", "rows to learn from", f"{rows['watch']:,} watched, {rows['test']:,} to test"),
        Fact(f"{summary['seconds']:,.0f} s", "time of the last start", _reward_time(summary)),
    ]
    if gain:
        note = f"points, {gain['from']} to {gain['to']}, 95 % interval {_range(gain['ci95'], '+')}"
        facts.insert(0, Fact(f"{100 * gain['difference']:+.1f}", "gain", note))
    if last:
        note = f"of {last['rows']:,} test rows, 95 % interval {_range(last['ci95'])}"
        facts.insert(0, Fact(f"{100 * last['ex']:.1f} %", "greedy EX at the end", note))
    stages = " then ".join(stage.upper() for stage in summary["stages"])
    return Page(
        kind="Training",
        title=Path(model["name"]).name,
        lead=f"{stages} on {summary['source']['title']}: {_KINDS[model['kind']]}, with {model['backend']}.",
        facts=facts,
        plots=[*_before_and_after(evaluations), *_curves(metrics)],
        tables=[*_evaluated(evaluations), *_differences(summary), *_left_out(rows)],
        browser=_browser(Lines(folder.path / "samples.jsonl").read()),
        settings=_settings(summary),
    )


def _before_and_after(evaluations: Mapping[str, Any]) -> Iterator[Plot]:
    if evaluations:
        found = [
            Bar(name, 100 * e["ex"], f"{100 * e['ex']:.1f} %", (100 * e["ci95"][0], 100 * e["ci95"][1]), GREEN)
            for name, e in evaluations.items()
        ]
        caption = "Greedy execution accuracy on test rows that training never saw, with its 95 % interval."
        yield bars("Before and after", caption, "% of test rows", found, top=100)


def _curves(metrics: Sequence[Mapping[str, Any]]) -> Iterator[Plot]:
    for curve in sorted((*CURVES, *MORE_CURVES), key=lambda curve: list(CAPTIONS).index(curve.name)):
        if series := series_of(curve, metrics):
            yield lines(curve.title, CAPTIONS[curve.name], "optimizer step", curve.unit, series, VERDICTS)


def _evaluated(evaluations: Mapping[str, Any]) -> Iterator[Table]:
    if evaluations:
        verdicts = sorted({v for e in evaluations.values() for v in e["verdicts"]}, key=list(VERDICTS).index)
        yield Table(
            "Test rows",
            ("", "EX", "95 % interval", *(v.replace("_", " ") for v in verdicts), "cut off"),
            [
                (name, f"{100 * e['ex']:.1f} %", _range(e["ci95"]), *(f"{e['verdicts'].get(v, 0):,}" for v in verdicts),
                 f"{e['truncated']:,}")
                for name, e in evaluations.items()
            ],
        )  # fmt: skip


def _differences(summary: Mapping[str, Any]) -> Iterator[Table]:
    if summary["differences"]:
        rows = [
            (f"{d['from']} to {d['to']}", f"{100 * d['difference']:+.1f}", _range(d["ci95"], "+"),
             f"{d['only_second']:,}", f"{d['only_first']:,}", f"{d['p']:.2g}")
            for d in summary["differences"]
        ]  # fmt: skip
        columns = ("", "points", "95 % interval", "gained", "lost", "McNemar's p")
        yield Table("Differences", columns, rows, "Paired, on the same test rows.")


def _left_out(rows: Mapping[str, Any]) -> Iterator[Table]:
    if rows["left_out"]:
        yield Table("Left out", ("why", "rows"), [(why, f"{count:,}") for why, count in rows["left_out"].items()])


def _browser(samples: Sequence[Mapping[str, Any]]) -> Browser | None:
    if not samples:
        return None
    last = max(sample["step"] for sample in samples)
    width = -(-last // PARTS_OF_TRAINING) or 1
    rows = []
    for n in evenly(len(samples), MOST_SAMPLES):
        sample = samples[n]
        start = max(0, sample["step"] - 1) // width * width
        end = min(start + width, last)
        rewards = (f"{name}: {'none' if value is None else f'{value:g}'}" for name, value in sample["rewards"].items())
        rows.append(
            {
                "title": clipped(sample["question"]),
                "tag": sample["verdict"],
                "step": f"step {sample['step']}",
                "steps": f"steps {start + 1} to {end}" if end > start + 1 else f"step {end}",
                "reason": clipped(sample["reason"]),
                "text": clipped(sample["text"]),
                "sql": clipped(sample["sql"]),
                "rewards": "\n".join(rewards),
            }
        )
    rows.reverse()
    filters = [("tag", "Verdict"), ("steps", "Steps")]
    return browser(
        "Samples", "samples", len(samples), FIELDS, filters, rows, "evenly over the run, the last ones first"
    )


def _reward_time(summary: Mapping[str, Any]) -> str:
    share = summary["reward_seconds_share"]
    return "" if share is None else f"rewards took {100 * share:.1f} % of GRPO's steps"


def _settings(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings = summary["settings"]
    own = [(name, value) for name, value in settings["train"].items() if name != "output_dir"]
    top = [(name, settings[name]) for name in ("max_prompt_length", "max_seq_length", "version")]
    judge = [(f"judge.{name}", value) for name, value in settings["judge"].items()]
    return [(name, "none" if value is None else str(value)) for name, value in (*own, *top, *judge)]


def _range(ci95: Sequence[float], sign: str = "") -> str:
    return f"{100 * ci95[0]:{sign}.1f} to {100 * ci95[1]:{sign}.1f}"
