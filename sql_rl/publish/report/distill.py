"""What a distillation has to show: the funnel, the verdicts, what it cost, how it went on the wire, and its rows.

The plots count every row of the dataset; the browser holds those that fit, the rejected first.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sql_rl.examples import Example
from sql_rl.publish.report.page import Fact, Page, Table
from sql_rl.publish.report.plots import BLUE, GREEN, Bar, Plot, bars, histogram, shares
from sql_rl.publish.report.results import Pair, results
from sql_rl.publish.report.rows import Browser, Field, Texts, browser, clipped, evenly
from sql_rl.publish.report.wire import wire_plots
from sql_rl.runs.folder import RunFolder
from sql_rl.settings import JudgeSettings

MOST_ROWS = 20_000  # looked at for the browser
MOST_GROUPS = 12  # bars of one plot
LEVELS = {"sql_complexity": "Complexity", "sql_task_type": "Task type"}  # columns of Gretel's rows
_ON_GIVEN_DATA = ("match", "lucky")  # verdicts that say: the same result as the gold's on the given database

FIELDS = (
    Field("reason", "Why it is not accepted"),
    Field("context", "Database", "shared"),
    Field("reasoning", "Reasoning"),
    Field("gold", "Reference query (gold)", "sql", half=True),
    Field("sql", "The teacher's query", "sql", half=True),
    Field("gold_result", "Its result", "result", half=True),
    Field("result", "Its result", "result", half=True),
    Field("about", "About the answer"),
)


def page(folder: RunFolder, summary: Mapping[str, Any]) -> Page:
    """The report of a folder that `distill` left."""
    options, source = summary["settings"]["distill"], summary["source"]
    files = sorted(folder.data.glob("train-*.parquet")), sorted(folder.rejected.glob("train-*.parquet"))
    counted = _count([*files[0], *files[1]])
    offline = options["provider"] == "offline"
    teacher = "the offline teacher, a program" if offline else f"{options['model']} ({options['provider']})"
    rows, accepted = summary["rows"], summary["accepted"]
    proven = "proven by execution" if options["validate"] else "not judged: they hold a query"
    with ThreadPoolExecutor(1) as beside:  # queries run in processes of the judge's, while plots are drawn in this one
        browsed = beside.submit(_browser, files, counted, summary)
        plots = list(_plots(summary, counted))
    left = f" {summary['remaining']:,} rows are still to be asked." if summary["remaining"] else ""
    return Page(
        kind="Distillation",
        title=source["title"],
        lead=f"Reasoning and SQL for {rows:,} questions, written by {teacher}.{left}",
        facts=[
            Fact(_percent(accepted, rows), "accepted", f"{accepted:,} of {rows:,} rows, {proven}"),
            Fact(f"{summary['requests']:,}", "answers", f"{summary['requests'] / max(1, rows):.2f} for each row"),
            Fact(f"{summary['prompt_tokens'] + summary['completion_tokens']:,}", "tokens", "prompts and completions"),
            Fact(_dollars(summary["cost_usd"]), "cost", _each(summary)),
            Fact(f"{summary['seconds']:,.0f} s", "time", f"{rows / max(summary['seconds'], 1e-9):,.1f} rows a second"),
        ],
        plots=plots,
        tables=[_verdicts(summary), _tokens(summary)],
        browser=browsed.result(),
        settings=_settings(summary),
    )


@dataclass(slots=True)
class _Counted:
    """What is counted over all rows. verdicts: level column -> value -> verdict -> rows. lengths: characters of the
    reasoning, and tokens: of the completions, both by accepted or rejected. positions: of the rejected rows, and of
    the others."""

    verdicts: dict[str, dict[str, Counter[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )
    lengths: dict[str, list[int]] = field(default_factory=lambda: {"accepted": [], "rejected": []})
    tokens: dict[str, list[int]] = field(default_factory=lambda: {"accepted": [], "rejected": []})
    positions: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))


def _count(files: Sequence[Path]) -> _Counted:
    counted, position = _Counted(), 0
    for file in files:
        parquet = pq.ParquetFile(file)
        levels = [name for name in LEVELS if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(columns=["verdict", "reason", "reasoning", "completion_tokens", *levels]):
            verdicts = [verdict or "not_judged" for verdict in batch["verdict"].to_pylist()]
            rejected = pc.is_valid(batch["reason"]).to_pylist()
            lengths = pc.utf8_length(batch["reasoning"]).to_pylist()
            for is_rejected, length, tokens in zip(
                rejected, lengths, batch["completion_tokens"].to_pylist(), strict=True
            ):
                name = "rejected" if is_rejected else "accepted"
                counted.positions[0 if is_rejected else 1].append(position)
                if length is not None:
                    counted.lengths[name].append(length)
                counted.tokens[name].append(tokens)
                position += 1
            for level in levels:
                for value, verdict in zip(batch[level].to_pylist(), verdicts, strict=True):
                    counted.verdicts[level][str(value)][verdict] += 1
    return counted


def _plots(summary: Mapping[str, Any], counted: _Counted) -> Iterator[Plot]:
    rows = summary["rows"]
    judged = summary["settings"]["distill"]["validate"]
    stages = [(name, n) for name, n in summary["funnel"].items() if judged or name not in ("ran", "matched")]
    yield bars(
        "Funnel",
        "Rows that came so far: asked, answered, with a query in the answer"
        + (", which ran, and whose result matched the gold's everywhere." if judged else "."),
        "rows",
        [
            Bar(name, n, f"{n:,} ({_percent(n, rows)})", colour=GREEN if name == "matched" else BLUE)
            for name, n in stages
        ],
    )
    for level, title in LEVELS.items():
        groups = counted.verdicts.get(level, {})
        if any(verdict != "not_judged" for verdicts in groups.values() for verdict in verdicts):
            most = dict(sorted(groups.items(), key=lambda item: -item[1].total())[:MOST_GROUPS])
            caption = f"Share of each verdict among the rows of each {title.lower()}; in brackets, how many rows."
            yield shares(f"Verdicts by {title.lower()}", caption, most, "rows")
    if any(counted.lengths.values()):
        yield histogram(
            "Length of reasoning",
            "How long the reasoning of the taken answers is; the last bar holds all that are longer.",
            "characters",
            "rows",
            {name: values for name, values in counted.lengths.items() if values},
        )
    if any(map(any, counted.tokens.values())):
        yield histogram(
            "Completion tokens of a row",
            "What all attempts at a row took together; the last bar holds all that took more.",
            "tokens",
            "rows",
            {name: values for name, values in counted.tokens.items() if values},
        )
    yield from wire_plots(summary)


def _verdicts(summary: Mapping[str, Any]) -> Table:
    rows, rejected = summary["rows"], summary["rejected_by_verdict"]
    found = sorted(summary["verdicts"].items(), key=lambda item: -item[1])
    return Table(
        "Verdicts",
        ("verdict", "rows", "share", "rejected"),
        [(v.replace("_", " "), f"{n:,}", _percent(n, rows), f"{rejected.get(v, 0):,}") for v, n in found],
    )


def _tokens(summary: Mapping[str, Any]) -> Table:
    kinds = (("prompts", "prompt_tokens"), ("of them cached", "cached_tokens"), ("completions", "completion_tokens"),
             ("of them reasoning", "reasoning_tokens"))  # fmt: skip
    accepted = max(1, summary["accepted"])
    rows = [(name, f"{summary[key]:,}", f"{summary[key] / accepted:,.1f}") for name, key in kinds]
    cost = summary["cost_usd"]
    rows.append(("cost", _dollars(cost), "unknown" if cost is None else f"${cost / accepted:.6f}"))
    return Table("Tokens and cost", ("", "all", "for each accepted row"), rows)


def _browser(files: tuple[list[Path], list[Path]], counted: _Counted, summary: Mapping[str, Any]) -> Browser:
    rejected, accepted = counted.positions
    first = [rejected[i] for i in evenly(len(rejected), MOST_ROWS)]
    others = [accepted[i] for i in evenly(len(accepted), MOST_ROWS - len(first))]
    found = _read([*files[0], *files[1]], {*first, *others})
    # Where not all rows fit, a prefix is shown: the rows of each kind are dealt so that it is spread over the run.
    order = [*_dealt(first), *_dealt(others)]
    source = summary["source"]
    columns = {"question": source["question"], "context": source["context"], "gold": source["gold"]}
    texts, rows, pairs = Texts(), [], []
    for position in order:
        row = found[position]
        example = Example(
            position, str(position), *(str(row[columns[name]] or "") for name in ("question", "context", "gold"))
        )
        rows.append(_shown(row, example, texts))
        pairs.append(Pair(example, row["answer_sql"], row["verdict"] in _ON_GIVEN_DATA))
    for row, (gold, result) in zip(rows, results(pairs, judge_settings(summary["settings"]["judge"])), strict=True):
        row |= {"gold_result": gold, "result": result}
    levels = [(level, label) for level, label in LEVELS.items() if level in counted.verdicts]
    return browser(
        "Rows",
        "rows",
        summary["rows"],
        FIELDS,
        [("tag", "Verdict"), ("state", "State"), *levels],
        rows,
        "the rejected ones first, the others evenly over the run",
        texts.all,
    )


def _dealt(positions: list[int]) -> list[int]:
    """The positions in such an order that each beginning of it is spread over all of them."""
    return [position for start in range(8) for position in positions[start::8]]


def _read(files: Sequence[Path], wanted: set[int]) -> dict[int, dict[str, Any]]:
    found, position = {}, 0
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=512):
            chosen = [n for n in range(batch.num_rows) if position + n in wanted]
            for n, row in zip(chosen, batch.take(pa.array(chosen, pa.int64())).to_pylist(), strict=True):
                found[position + n] = row
            position += batch.num_rows
    return found


def _shown(row: Mapping[str, Any], example: Example, texts: Texts) -> dict[str, Any]:
    about = [f"{row['attempts']} {'answer' if row['attempts'] == 1 else 'answers'} asked for"]
    about += [f"by {row['model_name']}"] if row["model_name"] else []
    about += [f"ended: {row['finish_reason']}"] if row["finish_reason"] else []
    about += [f"{row['prompt_tokens']:,} + {row['completion_tokens']:,} tokens"] if row["completion_tokens"] else []
    about += ["the gold was shown to the teacher"] if row["hint"] else []
    return {
        "title": clipped(example.question),
        "tag": row["verdict"] or "not_judged",
        "state": "rejected" if row["reason"] is not None else "accepted",
        **{level: str(row[level]) for level in LEVELS if row.get(level) is not None},
        "reason": clipped(row["reason"]),
        "context": texts.number(example.context),
        "reasoning": clipped(row["reasoning"]),
        "gold": clipped(example.gold),
        "sql": clipped(row["answer_sql"]),
        "about": ", ".join(about),
    }


def judge_settings(stated: Mapping[str, Any]) -> JudgeSettings:
    """The judge's settings as run.json states them."""
    known = {f.name for f in dataclasses.fields(JudgeSettings)}
    return JudgeSettings(**{name: value for name, value in stated.items() if name in known})


def _settings(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings = summary["settings"]
    top = [(name, value) for name, value in settings.items() if not isinstance(value, dict) and name != "base_url"]
    own = [(name, value) for name, value in settings["distill"].items() if name != "output_dir"]
    judge = [(f"judge.{name}", value) for name, value in settings["judge"].items()]
    return [(name, "none" if value is None else str(value)) for name, value in (*own, *top, *judge)]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"${cost:,.4f}" if cost else "$0"


def _each(summary: Mapping[str, Any]) -> str:
    cost, accepted = summary["cost_usd"], summary["accepted"]
    if cost is None:
        return "no price is known for the teacher"
    return f"${cost / accepted:.6f} for each accepted row" if cost and accepted else "nothing was paid"
