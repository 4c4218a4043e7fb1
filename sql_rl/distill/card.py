"""The dataset card: README.md of a run's folder, read by people, by the Hub and by `datasets.load_dataset`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sql_rl.distill.counters import STAGES, Counters
from sql_rl.distill.dataset import DISTILLED
from sql_rl.distill.settle import Outcome
from sql_rl.publish.front_matter import front_matter
from sql_rl.sources import Source
from sql_rl.terminal.progress import share

TAGS = ["synthetic", "text-to-sql", "chain-of-thought", "distillation", "sql-rl"]
_LONGEST_EXAMPLE = 1500  # characters


def card(
    settings: Mapping[str, Any],
    source: Source,
    counters: Counters,
    accepted: Sequence[Outcome],
    rejected: Sequence[Outcome],
) -> str:
    """The card's text. settings: as run.json states them; accepted, rejected: a few outcomes to show."""
    options = settings["distill"]
    teacher = (
        "the offline teacher" if options["provider"] == "offline" else f"{options['model']} ({options['provider']})"
    )
    sections = [
        front_matter(source, counters.rows, TAGS),
        f"# {source.title}, distilled",
        f"Questions of `{source.title}` answered with step-by-step reasoning and SQL by {teacher}"
        + (", each answer judged by executing it against the row's own query." if options["validate"] else "."),
        "## Use\n\n```python\nfrom datasets import load_dataset\n\n"
        'rows = load_dataset("path/to/this/folder", split="train")                  # the kept rows\n'
        'rejected = load_dataset("path/to/this/folder", "rejected", split="train")  # the others\n```',
        "## What is in it\n\n" + _funnel(counters, options),
        "## Columns\n\n" + _columns(source),
        "## Examples\n\n" + "\n\n".join(_example(o) for o in (*accepted, *rejected)),
        f"## How it was made\n\n```json\n{json.dumps(_shown(settings, source), indent=2, ensure_ascii=False)}\n```",
        "## Limits\n\n" + _limits(options),
    ]
    return "\n\n".join(sections) + "\n"


def _funnel(counters: Counters, options: Mapping[str, Any]) -> str:
    stages = STAGES if options["validate"] else STAGES[:3]
    lines = ["| stage | rows | share |", "|---|---|---|", f"| rows | {counters.rows} | |"]
    lines += [f"| {s} | {counters.funnel[s]} | {share(counters.funnel[s], counters.rows)} |" for s in stages]
    lines += ["", "| verdict | rows |", "|---|---|"]
    lines += [f"| {verdict} | {count} |" for verdict, count in counters.verdicts.most_common()]
    cost = "unknown" if counters.cost_usd is None else f"${counters.cost_usd:.4f}"
    lines += [
        "",
        f"Accepted {counters.accepted}, rejected {counters.rejected}, in `data/` {counters.kept}. "
        f"{counters.requests} requests, {counters.prompt_tokens} prompt tokens, "
        f"{counters.completion_tokens} completion tokens, cost {cost}.",
    ]
    return "\n".join(lines)


def _columns(source: Source) -> str:
    meanings = {
        "messages": "system, user and assistant message: the chat format of TRL",
        "generation": "the completion as the teacher wrote it",
        "reasoning": "its reasoning",
        "answer_sql": f"its query (the reference query is in `{source.columns['gold']}`)",
        "verdict": "match, lucky, mismatch, error, timeout, too_big, unsafe, no_sql, gold_broken; null if not judged",
        "reason": "why the row is not accepted",
        "attempts": "answers that were asked for",
        "model_name": "who answered",
        "finish_reason": "why the completion ended",
        "prompt_tokens": "of all attempts",
        "completion_tokens": "of all attempts",
        "cost_usd": "of all attempts; null where no price is known",
        "hint": "was the reference query shown to the teacher?",
    }
    lines = [
        "| column | what |",
        "|---|---|",
        f"| {', '.join(f'`{n}`' for n in source.schema.names)} | the source's own |",
    ]
    return "\n".join(lines + [f"| `{name}` | {meanings[name]} |" for name in DISTILLED.names])


def _example(outcome: Outcome) -> str:
    verdict = outcome.verdict.value if outcome.verdict else "not judged"
    title = f"**{'Accepted' if outcome.accepted else 'Rejected'}** ({verdict})"
    text = outcome.taken.completion.text if outcome.taken and outcome.taken.completion else "(no answer)"
    text = text if len(text) <= _LONGEST_EXAMPLE else text[:_LONGEST_EXAMPLE] + " …"
    reason = f"\n\nReason: {outcome.reason}" if outcome.reason else ""
    return f"{title}: {outcome.example.question}\n\n````text\n{text}\n````{reason}"


def _shown(settings: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """The settings that say how the rows came about; paths of a machine are nobody's business."""
    options = {k: v for k, v in settings["distill"].items() if k != "output_dir"} | {"dataset_repo_id": source.title}
    shown = ("temperature", "max_tokens", "max_prompt_length", "judge", "version")
    return {"distill": options, **{name: settings[name] for name in shown}}


def _limits(options: Mapping[str, Any]) -> str:
    if not options["validate"]:
        return "The answers were not judged: nothing here says that a query is right, only that there is one."
    if options["remove_no_valid"]:
        return (
            "A `match` is right on the given data and on generated variants of it; that is strong evidence, no proof."
        )
    return "Rows that were judged wrong are kept with their verdict: filter on `verdict == 'match'` to train."
