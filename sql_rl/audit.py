"""The job behind `audit`: what a dataset's own queries are worth, before anything is paid or trained on them.

Leaves, in the output folder, verdicts.jsonl (a finding for each row), data/train-*.parquet (the rows that may be
trained on, as they were), rejected.parquet (the others), a card and run.json. Training asks `audited` for the same.
"""

import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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

TAGS = ["text-to-sql", "sql-rl"]
UNDER_WAY = 64  # rows handed to the judge's workers at once: enough for each to find the next one waiting
HEARTBEAT = 30.0  # seconds between lines while it runs


@dataclass(frozen=True, slots=True)
class Report:
    """folder: where the findings lie. text: the funnel, for a person."""

    folder: Path
    text: str


def audit(settings: Settings, secrets: Secrets) -> Report:
    """Audits the dataset that the settings name.

    Raises UsageError (2) for a source or a folder that is no good, StoppedEarlyError (3) on a signal (nothing is
    written then: an audit costs no money and starts anew), BusyError (75), SqlRlError (1) for a full disk.
    """
    options = settings.audit
    source = open_source(options.dataset_repo_id, options.split, options.limit, settings.columns, secrets.hf_token)
    folder = RunFolder(Path(options.output_dir) if options.output_dir else default_folder("audit", source.title))
    with folder.held():
        started = time.monotonic()
        found = findings(source.examples(), asyncio.run(audited(source.examples(), settings.judge, source.count)))
        try:
            _write(folder, source, found, settings, time.monotonic() - started)
        except OSError as error:
            raise SqlRlError(f"{folder.path}: cannot be written: {error.strerror or error}; make room") from error
    return Report(folder.path, _text(folder.path, found))


async def audited(examples: Iterable[Example], settings: JudgeSettings, total: int) -> list[GoldAudit]:
    """The audit of each example, in order; a line on stderr every 30 s. Raises StoppedEarlyError on a signal."""
    stop, audits = Stop(), dict[int, GoldAudit]()

    async def heartbeat() -> None:
        print(f"audit: {len(audits)}/{total} rows", file=sys.stderr)

    async with Judge(settings) as judge:

        async def one(example: Example) -> None:
            audits[example.row] = await judge.audit(example)

        with signals(stop):
            async with every(HEARTBEAT, heartbeat):
                await drive(examples, one, UNDER_WAY, stop, grace=settings.seconds)
    if stop.why:
        raise stop.why
    return [audits[row] for row in sorted(audits)]


def _write(folder: RunFolder, source: Source, found: list[Finding], settings: Settings, seconds: float) -> None:
    lines = (json.dumps(dataclasses.asdict(finding), ensure_ascii=False) for finding in found)
    write_whole(folder.path / "verdicts.jsonl", "".join(line + "\n" for line in lines))
    writer = DatasetWriter(folder.data, folder.rejected, source.schema)
    for row, finding in zip(source.rows(), found, strict=True):
        writer.add(row, finding.kept)
    writer.finish()
    write_whole(folder.card, _card(source, found))
    folder.write_summary(
        {
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
    )


def _card(source: Source, found: list[Finding]) -> str:
    table = "\n".join(f"| {stage} | {count} |" for stage, count in funnel(found))
    return (
        f"{front_matter(source, len(found), TAGS)}\n\n# {source.title}, audited\n\n"
        f"The rows of `{source.title}` whose own query runs, has one answer, and can be told from a wrong one. "
        f"The others are in the config `rejected`, the findings in `verdicts.jsonl`.\n\n"
        f"| | rows |\n|---|---|\n{table}\n"
    )


def _text(folder: Path, found: list[Finding]) -> str:
    lines = [f"{folder}: {len(found):,} rows"]
    lines += [f"  {stage:<40} {count:>8,}" for stage, count in funnel(found)]
    lines += ["of those kept:", *(f"  {remark:<40} {count:>8,}" for remark, count in remarks(found))]
    broken = [finding for finding in found if finding.audit.broken]
    lines += ["broken, for example:"] if broken else []
    lines += [f"  row {finding.row} (id {finding.id}): {finding.audit.broken}" for finding in broken[:5]]
    lines.append(f"next: uv run main.py distill --provider offline --dataset-repo-id {folder} --validate")
    return "\n".join(lines)
