"""The dataset card: README.md of a distilled dataset, read by people, by the Hub and by `datasets.load_dataset`.

Made of what a run's folder holds, run.json and a few rows, so that it can be written again at any time. Its text is
templates/dataset.md.
"""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from sql_rl.publish.front_matter import front_matter
from sql_rl.publish.rendering import cell, clipped, fence_for, plain, rendered
from sql_rl.settings import DistillSettings, JudgeSettings, Settings
from sql_rl.terminal.progress import share

TAGS = ["synthetic", "text-to-sql", "chain-of-thought", "distillation", "sql-rl"]
SHOWN = 2  # accepted and rejected rows on the card, each
# What decides nothing about the rows, or only where on a machine they were made.
_BESIDE = {"output_dir", "log_format", "prices", "grace", "shard_rows", "use_ray"}
_STAGES_JUDGED = ("ran", "matched")
_MEANINGS = {
    "messages": "system, user and assistant message: the chat format of TRL",
    "generation": "the completion as the teacher wrote it",
    "reasoning": "its reasoning",
    "answer_sql": "its query (the reference query is in `{gold}`)",
    "verdict": "match, lucky, mismatch, error, timeout, too_big, unsafe, no_sql, gold_broken; null if not judged",
    "reason": "why the row is not accepted",
    "attempts": "answers that were asked for",
    "model_name": "who answered",
    "finish_reason": "why the completion ended",
    "prompt_tokens": "of all attempts",
    "completion_tokens": "of all attempts",
    "cost_usd": "dollars, of all attempts; null where no price is known",
    "hint": "was the reference query shown to the teacher?",
}


def dataset_card(
    summary: Mapping[str, Any],
    accepted: Sequence[Mapping[str, Any]],
    rejected: Sequence[Mapping[str, Any]],
    repo_id: str = "path/to/this/folder",
    folders: Collection[str] | None = None,
) -> str:
    """The card's text. summary: run.json of `distill`. accepted, rejected: some of its rows. repo_id: to load it by.
    folders: those of which files are there, `data` and `rejected`; None: all that the summary counts rows of."""
    options, source = summary["settings"]["distill"], summary["source"]
    offline = options["provider"] == "offline"
    stages = {s: n for s, n in summary["funnel"].items() if options["validate"] or s not in _STAGES_JUDGED}
    verdicts = sorted(summary["verdicts"].items(), key=lambda item: -item[1])
    rows = summary["rows"]
    filled = [name for name, n in (("data", summary["kept"]), ("rejected", rows - summary["kept"])) if n]
    if folders is not None:
        filled = [name for name in filled if name in folders]
    return rendered(
        "dataset.md",
        metadata=front_matter(
            name=source["title"] if source["on_hub"] else None,
            licence=source["license"].split(", ") if ", " in source["license"] else source["license"] or None,
            rows=rows,
            tags=TAGS,
            folders=filled,
            language=None if options["templates"] else "en",  # the bundled prompts' language, and so the reasoning's
        ),
        title=source["title"],
        source=_linked(source),
        licence=source["license"] or "unknown: see the source",
        teacher="the offline teacher, a program without a model"
        if offline
        else f"{options['model']} ({options['provider']})",
        place=repo_id,
        folders=filled,
        options=options,
        counters=summary,
        remaining=summary["remaining"],
        funnel=[(stage, count, share(count, rows)) for stage, count in stages.items()],
        verdicts=[(verdict, count, share(count, rows)) for verdict, count in verdicts],
        cost="unknown" if summary["cost_usd"] is None else f"${summary['cost_usd']:.4f}",
        columns=", ".join(cell(f"`{name}`") for name in source["columns"]),
        meanings={name: meaning.format(gold=source["gold"]) for name, meaning in _MEANINGS.items()},
        examples=[
            *(_example(row, "Accepted", source["question"]) for row in accepted),
            *(_example(row, "Rejected", source["question"]) for row in rejected),
        ],
        prompt=_prompt([*accepted, *rejected]),
        command=command(summary),
        settings=list(_stated(summary["settings"])),
        limits=_limits(options),
    )


def public(summary: Mapping[str, Any]) -> dict[str, Any]:
    """run.json as others may read it: without what is about this machine (paths, the teacher's address)."""
    settings = dict(summary["settings"])
    del settings["base_url"]
    paths = {
        name: Path(settings["distill"][name]).name for name in ("templates", "prices") if settings["distill"][name]
    }
    settings["distill"] = {
        **{name: value for name, value in settings["distill"].items() if name != "output_dir"},
        **paths,
        "dataset_repo_id": summary["source"]["title"],
    }
    return {**summary, "settings": settings}


def command(summary: Mapping[str, Any]) -> str:
    """The command that makes the same dataset: what differs from the defaults, keys without a flag as variables."""
    settings, parts = summary["settings"], ["uv run main.py distill"]
    variables = []
    for key in fields(DistillSettings):
        if key.name in _BESIDE or (value := settings["distill"].get(key.name, key.default)) == key.default:
            continue
        flag = f"--{key.name.replace('_', '-')}"
        if key.name == "dataset_repo_id":
            value = summary["source"]["title"]
        elif key.name == "templates":
            value = Path(value).name
        parts.append(flag if value is True else f"{flag} {shlex.quote(str(value))}")
    for prefix, section, given in (("", Settings, settings), ("JUDGE_", JudgeSettings, settings["judge"])):
        for key in fields(section):
            value = given.get(key.name, key.default)
            if (
                isinstance(value, str | int | float)
                and key.name not in ("base_url", "workers")
                and value != key.default
            ):
                variables.append(f"SQL_RL_{prefix}{key.name.upper()}={shlex.quote(str(value))}")
    return " ".join([*variables, *parts])


def _stated(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that say how the rows came about."""
    options = settings["distill"]
    shown = ["provider", "split", "reasoning_style"]
    if options["provider"] != "offline":
        shown += ["model", "num_generations", "select", "retries", "show_gold", "seed"]
        yield from ((name, cell(settings[name])) for name in ("temperature", "max_tokens", "max_prompt_length"))
    yield from ((name, cell(options[name])) for name in shown)
    if options["validate"]:
        judged = ("variants", "seed", "column_order", "now")
        yield from ((f"judge.{name}", cell(settings["judge"][name])) for name in judged)
    yield from (("prompts (digest)", settings["prompts"]), ("sql-rl", settings["version"]))


def _linked(source: Mapping[str, Any]) -> str:
    title = source["title"]
    return f"[{title}](https://huggingface.co/datasets/{title})" if source["on_hub"] else f"`{title}`"


def _example(row: Mapping[str, Any], title: str, question: str) -> dict[str, Any]:
    text = clipped(row["generation"] or "(no answer)")
    return {
        "title": f"{title} ({row['verdict'] or 'not judged'})",
        "question": plain(clipped(row[question] or "")),
        "text": text,
        "fence": fence_for(text),
        "reason": plain(clipped(row["reason"] or "")),
    }


def _prompt(rows: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """The first row's system and user message."""
    if not rows:
        return None
    asked = [f"[{m['role']}]\n{m['content']}" for m in rows[0]["messages"] if m["role"] != "assistant"]
    text = clipped("\n\n".join(asked), 4000)
    return {"text": text, "fence": fence_for(text)}


def _limits(options: Mapping[str, Any]) -> str:
    if not options["validate"]:
        return "The answers were not judged: nothing here says that a query is right, only that there is one."
    if options["remove_no_valid"]:
        return "A `match` is right on the given data and on generated variants of it: strong evidence, no proof."
    return "Rows that were judged wrong are kept with their verdict: filter on `verdict == 'match'` to train."
