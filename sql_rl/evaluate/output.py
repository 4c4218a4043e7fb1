"""What an evaluation leaves in its folder, and its last word on the terminal.

results.jsonl     a line for each question, in the benchmark's order (`metrics.Result`)
metrics.json      every metric with its interval, by hardness and database; verdict counts; settings
failures.jsonl    what a person needs to see why an answer is not right, both results among it
samples.jsonl     with --samples: the drawn answers
comparison.json   with --compare: the paired differences and the questions that changed sides
run.json          that it is finished, what it took, the settings
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sql_rl.errors import SqlRlError
from sql_rl.evaluate.metrics import METRICS
from sql_rl.evaluate.outcome import Outcome, failure_of, metrics_of, samples_of, usage_of
from sql_rl.evaluate.plan import Plan
from sql_rl.publish.report import place
from sql_rl.runs.folder import RunFolder, write_whole
from sql_rl.terminal.summary import Line, Summary

MOST_LEVELS = 4  # of hardness in a line of the last word: Spider's
SHOWN = 3  # broken golds, and questions that changed sides, in the last word


def write(
    run: Plan, outcomes: Sequence[Outcome], seconds: float, wire: dict[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes everything but the comparison, run.json last; gives the content of run.json and metrics.json.

    Raises SqlRlError where it cannot be written: the journal is whole all the same.
    """
    metrics = metrics_of(outcomes) | {"settings": run.stated()}
    usage = usage_of(outcomes)
    completions = [said.completion for outcome in outcomes for said in outcome.said if said.completion]
    summary = {
        "command": "evaluate",
        "status": "finished",
        "benchmark": run.benchmark.name,
        "asked": run.asked,
        "questions": len(outcomes),
        "gold_broken": metrics["gold_broken"],
        "verdicts": metrics["verdicts"],
        **(usage | {"cost_usd": run.price and round(sum(map(run.price.of, completions)), 6)} if run.teacher else {}),
        "seconds": seconds,
        **({"wire": wire} if wire is not None else {}),
        "settings": run.stated(),
    }
    drawn = len(outcomes[0].said) > 1
    try:
        _lines(run.folder.path / "results.jsonl", (dataclasses.asdict(outcome.result) for outcome in outcomes))
        _lines(run.folder.path / "failures.jsonl", (failure_of(o) for o in outcomes if not o.result.suite))
        if drawn:
            _lines(run.folder.path / "samples.jsonl", map(samples_of, outcomes))
        _json(run.folder.path / "metrics.json", metrics)
        run.folder.write_summary(summary)
    except OSError as error:
        raise _cannot_write(run.folder, error) from error
    return summary, metrics


def write_comparison(folder: RunFolder, comparison: dict[str, Any]) -> None:
    """comparison.json. Raises SqlRlError where it cannot be written."""
    try:
        _json(folder.path / "comparison.json", comparison)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def read_metrics(folder: RunFolder) -> dict[str, Any]:
    """metrics.json; {} where it is missing or no JSON: then the run is not finished after all."""
    try:
        return json.loads((folder.path / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def closing(
    folder: Path,
    summary: dict[str, Any],
    metrics: dict[str, Any],
    comparison: dict[str, Any] | None,
    unchanged: bool,
) -> Summary:
    """The metrics side by side, what they leave out, and what it took."""
    drawn = metrics.get("samples")
    lines = [Line(name, *_accuracy(metrics[name], _levels(metrics, name)), _style(name)) for name in METRICS]
    if drawn:
        passes = metrics["pass_at_k"]["suite"]
        lines += [Line(f"pass@{k}", _percent(share), "suite, of the drawn answers") for k, share in passes.items()]
        lines.append(Line(f"vote@{drawn}", *_accuracy(metrics["vote"]["suite"], "suite")))
    if comparison:
        lines += [_difference(name, comparison) for name in ("suite", "spider")]
    return Summary(
        title=f"{folder}: {'finished before, nothing to do' if unchanged else 'finished'}: "
        f"{summary['asked']} on {summary['questions']:,} questions of {summary['benchmark']}",
        content={
            "folder": str(folder),
            "unchanged": unchanged,
            **summary,
            "metrics": metrics,
            "comparison": comparison,
        },
        lines=lines,
        notes=[*_notes(folder, summary), *place(folder), *(_changes(folder, comparison) if comparison else ())],
    )


def _accuracy(found: dict[str, Any], note: str) -> tuple[str, str]:
    if not found["total"]:
        return "-", "no question counts"
    low, high = found["ci95"]
    interval = f"{found['correct']:,} of {found['total']:,}, 95 %: {100 * low:.1f} to {100 * high:.1f}"
    return _percent(found["accuracy"]), f"{interval}; {note}" if note else interval


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _levels(metrics: dict[str, Any], metric: str) -> str:
    groups = metrics["by_hardness"].items()
    known = [(name or "unknown", found[metric]["accuracy"]) for name, found in groups if found[metric]["total"]]
    if len(known) > MOST_LEVELS:  # rows have levels of their own; the report shows them all
        return ""
    return ", ".join(f"{name} {100 * accuracy:.1f}" for name, accuracy in known)


def _style(metric: str) -> str:
    return "green" if metric == "suite" else ""


def _difference(metric: str, comparison: dict[str, Any]) -> Line:
    found = comparison[metric]
    low, high = found["ci95"]
    note = (
        f"points against {comparison['other']}, 95 %: {100 * low:+.1f} to {100 * high:+.1f}, McNemar's p "
        f"{found['p']:.2g}; {found['only_second']:,} gained, {found['only_first']:,} lost"
    )
    return Line(f"{metric}, change", f"{100 * found['difference']:+.1f}", note)


def _notes(folder: Path, summary: dict[str, Any]) -> list[str]:
    verdicts = sorted(summary["verdicts"].items(), key=lambda item: -item[1])
    notes = [", ".join(f"{verdict} {count:,}" for verdict, count in verdicts)]
    if broken := summary["gold_broken"]:
        notes.append(
            f"{broken:,} golds cannot run and count for nobody (failures.jsonl says why); on large databases more of "
            "them do with higher judge.steps and judge.seconds"
        )
    if "requests" in summary:
        tokens = summary["prompt_tokens"] + summary["completion_tokens"]
        cost = "cost unknown" if summary["cost_usd"] is None else f"${summary['cost_usd']:.4f}"
        notes.append(
            f"{summary['requests']:,} answers, {summary['cut_off']:,} of them cut off, {tokens:,} tokens, {cost}"
        )
    return [*notes, f"{summary['seconds']:.1f} s; wrong answers: {folder / 'failures.jsonl'}"]


def _changes(folder: Path, comparison: dict[str, Any]) -> list[str]:
    notes = [
        f"{side}: {change['id']} ({change['db_id']}): {change['question']}"
        for side in ("gained", "lost")
        for change in comparison[side][:SHOWN]
    ]
    left_out = f", {comparison['left_out']:,} left out" if comparison["left_out"] else ""
    return [*notes, f"compared on {comparison['questions']:,} questions{left_out}: {folder / 'comparison.json'}"]


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _cannot_write(folder: RunFolder, error: OSError) -> SqlRlError:
    return SqlRlError(
        f"{folder.path}: cannot be written: {error.strerror or error}; the journal holds everything that was answered "
        "and judged: make room and run the same command again"
    )
