"""The job behind `audit`: what a dataset's own queries are worth, before anything is paid or trained on them.

Leaves, in the output folder, verdicts.jsonl (a finding for each row), data/train-*.parquet (the rows that may be
trained on, as they were), rejected/ (the others), a card and run.json. Training asks `audited` for the same.
"""

import asyncio
import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl import __version__
from sql_rl.configure import Secrets
from sql_rl.errors import SqlRlError
from sql_rl.examples import Example
from sql_rl.judge import GoldAudit, Judge
from sql_rl.judge.audit import Finding, findings, funnel, remarks
from sql_rl.publish.front_matter import front_matter
from sql_rl.publish.parquet import DatasetWriter
from sql_rl.runs.drive import Stop, drive, every, signals
from sql_rl.runs.folder import RunFolder, default_folder, write_whole
from sql_rl.settings import JudgeSettings, Settings
from sql_rl.sources import Source, open_source
from sql_rl.terminal.manner import Manner
from sql_rl.terminal.progress import Count, Display
from sql_rl.terminal.summary import Line, Summary

TAGS = ["text-to-sql", "sql-rl"]
UNDER_WAY = 64  # rows handed to the judge's workers at once: enough for each to find the next one waiting


@dataclass(frozen=True, slots=True)
class Report:
    """folder: where the findings lie. summary: run.json's content. found: one finding for each row."""

    folder: Path
    summary: dict[str, Any]
    found: list[Finding]


def audit(settings: Settings, secrets: Secrets, manner: Manner = "person") -> Report:
    """Audits the dataset that the settings name.

    Raises UsageError (2) for a source or a folder that is no good, StoppedEarlyError (3) on a signal (nothing is
    written then: an audit costs no money and starts anew), BusyError (75), SqlRlError (1) for a full disk.
    """
    options = settings.audit
    source = open_source(options.dataset_repo_id, options.split, options.limit, settings.columns, secrets.hf_token)
    folder = RunFolder(Path(options.output_dir) if options.output_dir else default_folder("audit", source.title))
    with folder.held():
        started = time.monotonic()
        audits = asyncio.run(audited(source.examples(), settings.judge, source.count, manner))
        found = findings(source.examples(), audits)
        try:
            summary = _write(folder, source, found, settings, time.monotonic() - started)
        except OSError as error:
            raise SqlRlError(f"{folder.path}: cannot be written: {error.strerror or error}; make room") from error
    return Report(folder.path, summary, found)


async def audited(
    examples: Iterable[Example], settings: JudgeSettings, total: int, manner: Manner = "person"
) -> list[GoldAudit]:
    """The audit of each example, in order; progress on stderr. Raises StoppedEarlyError on a signal."""
    stop, audits, count = Stop(), dict[int, GoldAudit](), Count()

    async with Judge(settings) as judge:

        async def one(example: Example) -> None:
            audits[example.row] = await judge.audit(example)
            count.done += 1

        with signals(stop), Display("audit", total, count, sys.stderr, manner=manner) as display:

            async def beat() -> None:
                display.update()

            async with every(1.0, beat):
                await drive(examples, one, UNDER_WAY, stop, grace=settings.seconds)
    if stop.why:
        raise stop.why
    return [audits[row] for row in sorted(audits)]


def _write(
    folder: RunFolder, source: Source, found: list[Finding], settings: Settings, seconds: float
) -> dict[str, Any]:
    lines = (json.dumps(dataclasses.asdict(finding), ensure_ascii=False) for finding in found)
    write_whole(folder.path / "verdicts.jsonl", "".join(line + "\n" for line in lines))
    writer = DatasetWriter(folder.data, folder.rejected, source.schema)
    for row, finding in zip(source.rows(), found, strict=True):
        writer.add(row, finding.kept)
    writer.finish()
    write_whole(folder.card, _card(source, found))
    summary = {
        "command": "audit",
        "status": "finished",
        "rows": len(found),
        "funnel": dict(funnel(found)),
        "remarks": dict(remarks(found)),
        "seconds": round(seconds, 3),
        "settings": {
            "audit": dataclasses.asdict(settings.audit),
            "judge": dataclasses.asdict(settings.judge),
            "source": source.identity,
            "version": __version__,
        },
    }
    folder.write_summary(summary)
    return summary


def _card(source: Source, found: list[Finding]) -> str:
    table = "\n".join(f"| {stage} | {count} |" for stage, count in funnel(found))
    folders = {"data" if finding.kept else "rejected" for finding in found}
    others = "The others are in the config `rejected`; the" if "rejected" in folders else "There are no others; the"
    metadata = front_matter(source.name if source.on_hub else None, source.license or None, len(found), TAGS, folders)
    return (
        f"{metadata}\n\n# {source.title}, audited\n\n"
        f"The rows of `{source.title}` whose own query runs, has one answer, and can be told from a wrong one. "
        f"{others} findings are in `verdicts.jsonl`.\n\n"
        f"| | rows |\n|---|---|\n{table}\n"
    )


def closing(report: Report) -> Summary:
    """The funnel, what is remarkable about the kept ones, the first broken ones, and the next command."""
    broken = [finding for finding in report.found if finding.audit.broken]
    notes = [f"broken: row {finding.row} (id {finding.id}): {finding.audit.broken}" for finding in broken[:5]]
    if len(broken) > len(notes):
        notes.append(f"and {len(broken) - len(notes):,} more: {report.folder / 'verdicts.jsonl'}")
    where = shlex.quote(str(report.folder))
    return Summary(
        title=f"{report.folder}: finished",
        content={"folder": str(report.folder), **report.summary},
        lines=[
            *(Line(stage, f"{count:,}") for stage, count in funnel(report.found)),
            *(Line(remark, f"{count:,}", "of those kept") for remark, count in remarks(report.found)),
        ],
        notes=notes,
        next=f"uv run main.py distill --provider offline --dataset-repo-id {where} --validate",
    )
