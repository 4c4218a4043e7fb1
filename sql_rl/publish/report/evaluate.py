"""What an evaluation has to show: every metric with its interval, by hardness and database, and each failure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sql_rl.evaluate.metrics import METRICS
from sql_rl.publish.report.page import Fact, Page, Table
from sql_rl.publish.report.plots import BLUE, GREEN, Bar, Plot, bars, shares, with_count
from sql_rl.publish.report.results import with_cells
from sql_rl.publish.report.rows import Browser, Field, browser, clipped
from sql_rl.publish.report.wire import wire_plots
from sql_rl.runs.folder import RunFolder

MOST_DATABASES = 40  # bars; the ones with the most questions
_RAN = ("match", "lucky", "mismatch")
# The published rules, and ours: what the table says of each.
MEANINGS = {
    "spider": "Spider's rule, DISTINCT stripped",
    "spider_keep_distinct": "Spider's rule",
    "bird": "BIRD's rule: equal sets of rows",
    "strict": "our rule on the given database",
    "spider_suite": "Spider's rule, on variants too",
    "suite": "our rule, on variants too",
}

FIELDS = (
    Field("reason", "Why it is not right"),
    Field("evidence", "Evidence that belongs to the question"),
    Field("reasoning", "Reasoning"),
    Field("gold", "Reference query (gold)", "sql", half=True),
    Field("sql", "Predicted query", "sql", half=True),
    Field("gold_result", "Its result", "result", half=True),
    Field("result", "Its result", "result", half=True),
)


def page(folder: RunFolder, summary: Mapping[str, Any]) -> Page:
    """The report of a folder that `evaluate` left."""
    metrics = json.loads((folder.path / "metrics.json").read_text(encoding="utf-8"))
    results = list(_lines(folder.path / "results.jsonl"))
    failures = list(_lines(folder.path / "failures.jsonl"))
    suite, spider = metrics["suite"], metrics["spider"]
    comparison = folder.path / "comparison.json"
    tables = [_metrics(metrics), *_drawn(metrics)]
    if comparison.exists():
        tables.append(_comparison(json.loads(comparison.read_text(encoding="utf-8"))))
    broken = f" {summary['gold_broken']:,} golds cannot run and count for nobody." if summary["gold_broken"] else ""
    return Page(
        kind="Evaluation",
        title=f"{summary['asked']} on {summary['benchmark']}",
        lead=f"{summary['questions']:,} questions, each query judged by execution.{broken}",
        facts=[
            Fact(_percent(suite), "right, on variants too", f"95 % interval {_interval(suite)}"),
            Fact(_percent(spider), "by Spider's rule", f"95 % interval {_interval(spider)}"),
            Fact(f"{suite['correct']:,}", "questions right", f"of {suite['total']:,} that count"),
            Fact(f"{len(failures):,}", "not right", "each is below" if failures else ""),
            Fact(f"{summary['seconds']:,.0f} s", "time", _usage(summary)),
        ],
        plots=[*_plots(metrics, results), *wire_plots(summary)],
        tables=tables,
        browser=_browser(failures) if failures else None,
        settings=_settings(summary),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _plots(metrics: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Iterator[Plot]:
    yield bars(
        "Metrics",
        "Share of right answers under each metric, with its 95 % interval.",
        "% of questions",
        [_bar(name, metrics[name], GREEN if name == "suite" else BLUE) for name in METRICS],
        top=100,
    )
    counted = [r for r in results if r["verdict"] != "gold_broken"]
    stages = (
        ("questions", counted),
        ("with a query", [r for r in counted if r["predicted_sql"]]),
        ("that runs", [r for r in counted if r["verdict"] in _RAN]),
        ("right here", [r for r in counted if r["verdict"] in ("match", "lucky")]),
        ("right everywhere", [r for r in counted if r["verdict"] == "match"]),
    )
    yield bars(
        "Funnel",
        "Questions that came so far; here is the given database, everywhere means on generated variants too.",
        "questions",
        [
            Bar(
                name,
                len(found),
                f"{len(found):,} ({100 * len(found) / max(1, len(counted)):.1f} %)",
                colour=GREEN if name == "right everywhere" else BLUE,
            )
            for name, found in stages
        ],
    )
    if levels := metrics["by_hardness"]:
        yield bars(
            "By hardness",
            "Share of questions that are right on variants too, with its 95 % interval; in brackets, how many count.",
            "% of questions",
            [_bar(with_count(name, found["suite"]["total"]), found["suite"]) for name, found in levels.items()],
            top=100,
        )
        by_level: dict[str, dict[str, int]] = {name or "not told": {} for name in levels}
        for result in results:
            counts = by_level[result["hardness"] or "not told"]
            counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
        yield shares(
            "Verdicts by hardness",
            "Share of each verdict among the questions of each level; in brackets, how many questions.",
            by_level,
            "questions",
        )
    if databases := metrics["by_database"]:
        most = sorted(databases.items(), key=lambda item: -item[1]["suite"]["total"])[:MOST_DATABASES]
        most.sort(key=lambda item: item[1]["suite"]["accuracy"] or 0)
        which = f" of the {MOST_DATABASES} databases with the most" if len(databases) > MOST_DATABASES else ""
        yield bars(
            "By database",
            f"Share of questions{which} that are right on variants too, with its 95 % interval, the weakest first.",
            "% of questions",
            [_bar(with_count(name, found["suite"]["total"]), found["suite"]) for name, found in most],
            top=100,
        )


def _bar(label: str, found: Mapping[str, Any], colour: str = BLUE) -> Bar:
    low, high = found["ci95"]
    interval = (100 * low, 100 * high) if found["total"] else None
    return Bar(label, 100 * (found["accuracy"] or 0), _percent(found), interval, colour)


def _metrics(metrics: Mapping[str, Any]) -> Table:
    rows = [
        (name, _percent(metrics[name]), _interval(metrics[name]), f"{metrics[name]['correct']:,}", MEANINGS[name])
        for name in METRICS
    ]
    total = metrics["suite"]["total"]
    return Table(
        "Metrics",
        ("metric", "share", "95 % interval", "right", "what it asks"),
        rows,
        f"Of {total:,} questions. The share of suite is our answer to: is it right?",
    )


def _drawn(metrics: Mapping[str, Any]) -> Iterator[Table]:
    """pass@k and vote@n, where answers were drawn."""
    if not (samples := metrics.get("samples")):
        return
    rows = []
    for name in METRICS:
        passes = [f"{100 * share:.1f} %" for share in metrics["pass_at_k"][name].values()]
        rows.append((name, *passes, _percent(metrics["vote"][name])))
    columns = [f"pass@{k}" for k in metrics["pass_at_k"]["suite"]]
    yield Table(
        f"Of {samples} drawn answers",
        ("metric", *columns, f"vote@{samples}"),
        rows,
        "pass@k: is one of k answers right (unbiased estimate); vote: is the one right that most results agree with.",
    )


def _comparison(found: Mapping[str, Any]) -> Table:
    rows = []
    for name in METRICS:
        low, high = found[name]["ci95"]
        gained, lost = found[name]["only_second"], found[name]["only_first"]
        rows.append((name, f"{100 * found[name]['difference']:+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}",
                     f"{gained:,}", f"{lost:,}", f"{found[name]['p']:.2g}"))  # fmt: skip
    return Table(
        f"Against {found['other']}",
        ("metric", "points", "95 % interval", "gained", "lost", "McNemar's p"),
        rows,
        f"Paired, on {found['questions']:,} questions that both runs have.",
    )


def _browser(failures: Sequence[Mapping[str, Any]]) -> Browser:
    rows = [
        {
            "title": clipped(row["question"]),
            "tag": row["verdict"],
            "hardness": row["hardness"] or "not told",
            "database": row["db_id"] or "not told",
            "reason": _reason(row),
            "evidence": clipped(row["evidence"]),
            "reasoning": clipped(row["reasoning"] or row["completion"]),
            "gold": clipped(row["gold_sql"]),
            "sql": clipped(row["predicted_sql"]),
            "gold_result": row["gold_result"] and with_cells(row["gold_result"]),
            "result": row["predicted_result"] and with_cells(row["predicted_result"]),
        }
        for row in failures
    ]
    filters = [("tag", "Verdict"), ("hardness", "Hardness"), ("database", "Database")]
    return browser("Failures", "answers that are not right", len(rows), FIELDS, filters, rows, "the first that fit")


def _reason(row: Mapping[str, Any]) -> str:
    where = row["database"]
    return clipped(f"{row['reason']} (on {where})" if where and where != "given" else row["reason"])


def _usage(summary: Mapping[str, Any]) -> str:
    if "requests" not in summary:
        return "judging"
    tokens = summary["prompt_tokens"] + summary["completion_tokens"]
    cost = "" if not summary["cost_usd"] else f", ${summary['cost_usd']:.4f}"
    return f"{summary['requests']:,} answers, {tokens:,} tokens{cost}"


def _settings(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings = summary["settings"]
    top = [(name, value) for name, value in settings.items() if not isinstance(value, dict) and name != "base_url"]
    own = list(settings["evaluate"].items())
    judge = [(f"judge.{name}", value) for name, value in settings["judge"].items()]
    return [(name, "none" if value is None else str(value)) for name, value in (*own, *top, *judge)]


def _percent(found: Mapping[str, Any]) -> str:
    return "-" if found["accuracy"] is None else f"{100 * found['accuracy']:.1f} %"


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found["ci95"]
    return f"{100 * low:.1f} to {100 * high:.1f}" if found["total"] else "-"
