"""The last word of a run, and the preview of one: what `distill` prints on stdout."""

import shlex

from sql_rl.distill.counters import STAGES
from sql_rl.distill.plan import Plan
from sql_rl.distill.run import Report
from sql_rl.prompts import estimated_tokens
from sql_rl.publish.report import place
from sql_rl.sources import Source
from sql_rl.terminal.progress import share
from sql_rl.terminal.summary import Line, Summary

_MEASURED = 200  # rows whose prompts are measured for the preview's estimate


def closing(report: Report) -> Summary:
    """The funnel, the verdicts, what it took, and, where there is something to train on, the next command."""
    s = report.summary
    lines = [Line("rows", f"{s['rows']:,}")]
    stages = STAGES if s["settings"]["distill"]["validate"] else STAGES[:3]
    lines += [Line(stage, f"{s['funnel'][stage]:,}", share(s["funnel"][stage], s["rows"])) for stage in stages]
    lines.append(Line("accepted", f"{s['accepted']:,}", share(s["accepted"], s["rows"]), "green"))
    lines.append(Line("rejected", f"{s['rejected']:,}", _by_verdict(s["rejected_by_verdict"])))
    cost = "cost unknown" if s["cost_usd"] is None else f"${s['cost_usd']:.4f}"
    if s["accepted"] and s["cost_usd"]:
        cost += f" (${s['cost_usd'] / s['accepted']:.6f} an accepted row)"
    tokens = s["prompt_tokens"] + s["completion_tokens"]
    more = []
    if (beyond := s.get("beyond_target")) and beyond["requests"] > 0:
        price = "" if beyond["cost_usd"] is None else f", ${beyond['cost_usd']:.4f}"
        more = [f"and {beyond['requests']:,} requests{price}, for rows that the target no longer needed"]
    published = [f"published: {report.published}"] if report.published else []
    return Summary(
        title=f"{report.folder}: {'finished before, nothing to do' if report.unchanged else 'finished'}",
        content={"folder": str(report.folder), "unchanged": report.unchanged, "published": report.published, **s},
        lines=lines,
        notes=[
            f"{s['requests']:,} requests, {tokens:,} tokens, {cost}, {s['seconds']:.1f} s",
            *more,
            *place(report.folder),
            *published,
        ],
        next=f"uv run main.py train --dataset-repo-id {shlex.quote(str(report.folder))}" if s["accepted"] else None,
    )


def _by_verdict(rejected: dict[str, int]) -> str:
    return ", ".join(f"{verdict} {count:,}" for verdict, count in sorted(rejected.items(), key=lambda kv: -kv[1]))


def preview(plan: Plan, source: Source) -> str:
    """What `--dry-run` shows: the rows, the first prompt, and an estimate of tokens and cost for one attempt a row."""
    options = plan.settings.distill
    first, measured = None, []
    for example in source.examples():
        first = first or example
        measured.append(estimated_tokens(plan.prompts.draft(example)))
        if len(measured) == _MEASURED:
            break
    tokens = sum(measured) * source.count // len(measured) * options.num_generations
    price = plan.price
    most = source.count * plan.settings.max_tokens * options.num_generations
    cost = "no price is known for it"
    if price is not None:
        dollars = (tokens * price.input + most * price.output) / 1e6
        cost = f"at most ${dollars:.4f}, were every answer as long as allowed and none asked again"
    lines = [
        f"{source.count:,} rows of {source.name} ({options.split}) -> {plan.folder.path}",
        f"teacher: {plan.model} ({options.provider}), {options.batch_size} in flight, "
        f"{'judged' if options.validate else 'not judged'}, up to {options.retries} retries",
        f"about {tokens:,} prompt tokens; {cost}",
        "first prompt:",
        *(f"[{m['role']}] {m['content']}" for m in plan.prompts.draft(first)),
    ]
    return "\n".join(lines)
