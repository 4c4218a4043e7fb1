"""The dataset of a run: read, its golds audited, and dealt out into rows to learn from, to watch, and to prove on."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.examples import Example
from sql_rl.judge import Judge, Verdict
from sql_rl.prompts import Prompts, load_prompts
from sql_rl.runs.drive import Stop, drive, every, signals
from sql_rl.settings import JudgeSettings, Settings
from sql_rl.sources import Source, open_source
from sql_rl.terminal.manner import Manner
from sql_rl.terminal.progress import Count, Display
from sql_rl.train.data import Row, hold_back, read, without

UNDER_WAY = 64  # golds handed to the judge's workers at once


@dataclass(frozen=True, slots=True)
class Dataset:
    """learn: rows to train on. watch: chosen by during the run. test: others, for before and after; where there are
    too few for both, they are the same. left_out: reason -> rows. identity: changes when the rows do."""

    learn: list[Row]
    watch: list[Row]
    test: list[Row]
    identity: dict[str, str]
    left_out: Counter[str] = field(default_factory=Counter)
    title: str = ""
    on_hub: bool = False
    license: str = ""

    def corpus(self) -> Iterable[str]:
        """Every text to learn from, for a tokenizer."""
        for row in self.learn:
            yield from (m["content"] for m in row.prompt)
            yield row.answer or row.example.gold


def load_dataset(settings: Settings, secrets: Secrets, manner: Manner = "person") -> Dataset:
    """Reads and audits what the settings name.

    Raises UsageError for a source that is no good or has no row to learn from, StoppedEarlyError on a signal.
    """
    o = settings.train
    prompts = load_prompts(folder=Path(o.templates) if o.templates else None)
    left_out: Counter[str] = Counter()
    source = open_source(o.dataset_repo_id, o.split, o.limit, settings.columns, secrets.hf_token)
    rows = _rows(source, prompts, settings, left_out, manner)
    identity = {"dataset": source.identity, "prompts": prompts.digest}
    wanted = o.eval_rows + o.test_rows
    if o.eval_dataset:
        others = open_source(o.eval_dataset, o.eval_split, None, settings.columns, secrets.hf_token)
        identity["eval_dataset"] = others.identity
        held = _rows(others, prompts, settings, Counter(), manner)[:wanted]
        learn = without(rows, held)
        left_out["also in the eval dataset"] = len(rows) - len(learn)
    else:
        learn, held = hold_back(rows, wanted, o.seed)
    if not learn:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.items() if count)
        raise UsageError(f"{o.dataset_repo_id}: none of its {source.count} rows can be trained on ({reasons})")
    watch, test = _dealt(held, o.eval_rows, o.test_rows)
    return Dataset(learn, watch, test, identity, left_out, source.title, source.on_hub, source.license)


def _rows(source: Source, prompts: Prompts, settings: Settings, left_out: Counter[str], manner: Manner) -> list[Row]:
    """The rows of a source that may be used; the others are counted."""
    examples = list(source.examples())
    broken = [False] * len(examples)
    if settings.train.audit:
        broken = asyncio.run(broken_golds(examples, settings.judge, manner))
    rows = []
    for example, is_broken in zip(examples, broken, strict=True):
        row = None if is_broken else read(example, prompts)
        if row is None:
            left_out["gold broken"] += 1
        else:
            rows.append(row)
    return rows


async def broken_golds(examples: list[Example], settings: JudgeSettings, manner: Manner = "person") -> list[bool]:
    """For each example, whether its own query cannot run. Raises StoppedEarlyError on a signal.

    A gold is judged as an answer to itself, which asks for nothing but that it runs: some 1,000 a second, where the
    command `audit` builds its variants too.
    """
    stop, broken, count = Stop(), [False] * len(examples), Count()

    async with Judge(settings) as judge:

        async def one(place: int) -> None:
            judged = await judge.judge(examples[place], examples[place].gold)
            broken[place] = judged.verdict is Verdict.GOLD_BROKEN
            count.done += 1

        with signals(stop), Display("train audit", len(examples), count, sys.stderr, manner=manner) as display:

            async def show() -> None:
                display.update()

            async with every(1.0, show):
                await drive(range(len(examples)), one, UNDER_WAY, stop, grace=settings.seconds)
    if stop.why:
        raise stop.why
    return broken


def _dealt(held: list[Row], watched: int, tested: int) -> tuple[list[Row], list[Row]]:
    """Disjoint where there are enough; otherwise both get all of them, and the choice is made on what is reported."""
    if len(held) >= watched + tested:
        return held[:watched], held[watched : watched + tested]
    if watched and tested:
        few = min(watched, len(held) // 3)
        return (held[:few], held[few:]) if few else (held, held)
    return held[:watched], held[:tested]
