"""How fast is the judge, and what does it leave behind?

    python benchmarks/judge_speed.py [--workers N] [--soak N]

Reads Spider's dev and train questions from ../shared/data. Prints

  set-up            the given database and 8 variants built, the gold run on all, for each gold: one process
  judgements, warm  972 questions x 4 published systems, golds and variants in the cache, as in a GRPO step
  judgements, cold  the same predictions once each, set-ups included
  golds             each train row's own gold on a context of its own, as offline distillation judges them
  soak              judgements with 5 % hostile ones among them: time, peak memory, handles and processes left

Spider's own evaluator does 183 questions a second on one database, 14 on its suites (docs/judge.md).
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from pyarrow import parquet

from sql_rl.examples import Example
from sql_rl.judge import Judge
from sql_rl.judge.bench import Bench
from sql_rl.settings import JudgeSettings

SPIDER = Path(__file__).parents[2] / "shared/data/spider"
CHUNK = 100  # questions whose databases fit in the default caches together
IN_FLIGHT = 256
ROUNDS = 4  # of set-ups: other work on a shared machine makes some of them slow
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
HOSTILE = (
    ENDLESS + "count(*) FROM n",
    ENDLESS + "group_concat(i) FROM n",
    "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' REGEXP '^(a+)+$'",
    "SELECT length(replace(hex(zeroblob(30000000)), '00', 'abcdefghijklmnop'))",
    "VACUUM INTO '/tmp/judge-soak.db'",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
)


def dev() -> list[Example]:
    return [
        Example(
            row=row,
            id=str(row),
            question=question["question"],
            context="",
            gold=question["query"],
            database=SPIDER / f"database/{question['db_id']}/{question['db_id']}.sqlite",
        )
        for row, question in enumerate(json.loads((SPIDER / "dev.json").read_text()))
    ]


def predictions() -> list[tuple[str, ...]]:
    """For each question, what the systems answered."""
    files = sorted((SPIDER / "predictions").glob("*.sql"))
    return list(zip(*(file.read_text().splitlines() for file in files), strict=True))


def setups(examples: list[Example]) -> list[list[float]]:
    """Milliseconds of processor time for the set-ups of each gold, one a round; a gold asked twice counts once."""
    golds = {(example.database, example.gold): example for example in examples}
    spent: list[list[float]] = [[] for _ in golds]
    for _ in range(ROUNDS):
        bench = Bench(JudgeSettings(), announce=lambda phase: None)
        for times, example in zip(spent, golds.values(), strict=True):
            started = time.process_time()
            case = bench.case(str(example.database), "", example.gold)
            case.variants  # noqa: B018 - they are built when they are first looked at
            times.append((time.process_time() - started) * 1000)
            database = str(example.database)
            bench.answer({"op": "judge", "database": database, "context": "", "gold": "", "sql": "SELECT 1"})
    return spent


async def judge_all(judge: Judge, asked: list[tuple[Example, str]]) -> tuple[float, Counter[str]]:
    """Seconds for all of them, IN_FLIGHT at a time, and their verdicts."""
    window = asyncio.Semaphore(IN_FLIGHT)

    async def one(example: Example, sql: str) -> str:
        async with window:
            return (await judge.judge(example, sql)).verdict.value

    started = time.perf_counter()
    verdicts = await asyncio.gather(*(one(*question) for question in asked))
    return time.perf_counter() - started, Counter(verdicts)


async def warm(examples: list[Example], workers: int) -> None:
    answers = predictions()
    seconds, asked, verdicts, parent, processes = 0.0, 0, Counter(), 0.0, 0.0
    async with Judge(JudgeSettings(workers=workers)) as judge:
        for start in range(0, len(examples), CHUNK):
            chunk = [(example, sql) for example in examples[start : start + CHUNK] for sql in answers[example.row]]
            await judge_all(judge, chunk)
            processor = (time.process_time(), sum(map(processor_seconds, children())))
            spent, found = await judge_all(judge, chunk)
            parent += time.process_time() - processor[0]
            processes += sum(map(processor_seconds, children())) - processor[1]
            seconds, asked, verdicts = seconds + spent, asked + len(chunk), verdicts + found
    show("judgements, warm", f"{asked / seconds:,.0f} a second; {dict(verdicts)}")
    show("", f"processor time each: {processes / asked * 1000:.2f} ms workers, {parent / asked * 1000:.2f} ms parent")


async def cold(examples: list[Example], workers: int) -> None:
    answers = predictions()
    async with Judge(JudgeSettings(workers=workers)) as judge:
        await judge.judge(examples[0], "SELECT 1")
        asked = [(example, sql) for example in examples for sql in answers[example.row]]
        seconds, _ = await judge_all(judge, asked)
    show("judgements, cold", f"{len(asked) / seconds:,.0f} a second")


async def golds(workers: int) -> None:
    rows = parquet.read_table(SPIDER / "train_rows.parquet", columns=["sql_prompt", "sql_context", "sql"]).to_pylist()
    asked = [
        (Example(row=n, id=str(n), question=row["sql_prompt"], context=row["sql_context"], gold=row["sql"]), row["sql"])
        for n, row in enumerate(rows)
    ]
    async with Judge(JudgeSettings(workers=workers)) as judge:
        await judge.judge(*asked[0])
        seconds, verdicts = await judge_all(judge, asked)
    show("golds", f"{len(asked) / seconds:,.0f} a second; {dict(verdicts)}")


async def soak(examples: list[Example], workers: int, count: int) -> None:
    answers = predictions()
    mixed = [
        (example, HOSTILE[n // 20 % len(HOSTILE)] if n % 20 == 7 else answers[example.row][n % 4])
        for n in range(count)
        for example in [examples[n // 16 % len(examples)]]
    ]
    handles, processes = open_handles(), len(children())
    async with Judge(JudgeSettings(workers=workers, seconds=1.0, steps=2_000_000)) as judge:
        first, _ = await judge_all(judge, mixed[: count // 10])
        before, watch = resident_mb(), asyncio.create_task(watch_peak())
        seconds, verdicts = await judge_all(judge, mixed)
        after, peak = resident_mb(), watch.cancel() and await watch
    show("soak", f"{count:,} judgements, 5 % hostile, in {first + seconds:.0f} s; {dict(verdicts)}")
    show("", f"workers' peak {peak:.0f} MB; parent {before:.0f} -> {after:.0f} MB")
    show("", f"left behind: {open_handles() - handles} handles, {len(children()) - processes} processes")


async def watch_peak() -> float:
    """The highest peak of resident memory among the children until it is cancelled, MB."""
    highest = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            highest = max([highest, *map(peak_mb, children())])
            await asyncio.sleep(0.02)
    return highest


def processor_seconds(process: str) -> float:
    """The processor time that a process has used, seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(process: str) -> float:
    """A process's peak resident memory, MB; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def open_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> list[str]:
    """The process numbers of this process's children."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def resident_mb() -> float:
    """This process's resident memory, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def show(what: str, value: str) -> None:
    print(f"{what:18}{value}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--soak", type=int, default=10_000, help="judgements of the soak; 0 leaves it out")
    options = parser.parse_args()
    if not SPIDER.exists():
        sys.exit(f"{SPIDER} is missing: put Spider dev there")
    examples = dev()
    spent = setups(examples)
    best, every = statistics.median(map(min, spent)), statistics.median(t for times in spent for t in times)
    show("set-up", f"median {best:.1f} ms (best of {ROUNDS} for each gold; of all rounds {every:.1f} ms)")
    asyncio.run(warm(examples, options.workers))
    asyncio.run(cold(examples, options.workers))
    asyncio.run(golds(options.workers))
    if options.soak:
        asyncio.run(soak(examples, options.workers, options.soak))


if __name__ == "__main__":
    main()
