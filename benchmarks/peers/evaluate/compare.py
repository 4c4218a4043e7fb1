"""`evaluate` beside the evaluators whose rules it counts by: do they agree, and how long does each take?

    uv run python -m benchmarks.peers.evaluate.compare [--spider-evaluator FOLDER] [--suites FOLDER] [--systems NAME …]

Reads Spider dev in ../shared/data: 972 questions, the predictions of four systems, and the verdicts that Spider's
evaluator once gave them. `main.py evaluate` measures each file of predictions, all six metrics and eight variants at
once; beside it, question by question:

  spider, spider_keep_distinct   Spider's evaluator, run here from a clone of github.com/taoyds/test-suite-sql-eval
                                 where --spider-evaluator names one; without it the recorded verdicts, and no time
  spider_suite                   the same on its distilled test suites, where --suites names the folder `database` of
                                 them (its README has the address); without it the recorded verdicts
  bird                           BIRD's rule as it is stated: do both queries, on the given database, give equal sets of
                                 rows within 30 seconds?

Seconds are of whole programs, from their start, in one run on one machine: the ratios count.
"""

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import measured
from benchmarks.machine import ROOT, machine

SPIDER = ROOT.parent / "shared/data/spider"
SYSTEMS = ("dail_gpt4", "codes_7b", "chatgpt_thu_bpm", "qwen25coder15b_base_0shot")
NEEDS = ("sqlparse", "nltk", "tqdm")  # what Spider's evaluator imports
RECORDED = {"spider": "spider", "spider_keep_distinct": "spider_keep_distinct", "spider_suite": "suite"}
BIRD_SECONDS = 30.0  # for one question, as in BIRD's evaluation


@dataclass(frozen=True, slots=True)
class Told:
    """What an evaluator told of one system under one rule. seconds: None where the verdicts are recorded ones."""

    rule: str
    by: str
    verdicts: Sequence[bool]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Question:
    db_id: str
    gold: str
    predicted: str


def questions(system: str) -> list[Question]:
    asked = json.loads((SPIDER / "dev.json").read_text())
    predicted = (SPIDER / f"predictions/{system}.sql").read_text().splitlines()
    return [Question(q["db_id"], q["query"], said.split("\t")[0]) for q, said in zip(asked, predicted, strict=True)]


def ours(system: str, folder: Path) -> tuple[list[dict], float]:
    """The lines of results.jsonl, and seconds of the command."""
    asked = ["--benchmark", str(SPIDER), "--predictions", str(SPIDER / f"predictions/{system}.sql")]
    took = measured([sys.executable, "main.py", "evaluate", *asked, "--quiet", "--output-dir", str(folder / system)])
    lines = (folder / system / "results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], took.seconds


def theirs(system: str, asked: Sequence[Question], options: argparse.Namespace, folder: Path) -> list[Told]:
    """What Spider's evaluator says, by running it where it is, else as it was recorded."""
    recorded = [json.loads(line) for line in (SPIDER / f"predictions/{system}.verdicts.jsonl").read_text().splitlines()]
    found = []
    for rule, name in RECORDED.items():
        databases = options.suites if rule == "spider_suite" else folder / "database"
        if options.spider_evaluator and databases:
            distinct = "keep" if rule == "spider_keep_distinct" else "strip"
            verdicts, seconds = with_spider(asked, databases, distinct, options, folder)
            found.append(Told(rule, "Spider's evaluator", verdicts, seconds))
        else:
            found.append(Told(rule, "its recorded verdicts", [bool(line[name]) for line in recorded], None))
    return found


def with_spider(
    asked: Sequence[Question], databases: Path, distinct: str, options: argparse.Namespace, folder: Path
) -> tuple[list[bool], float]:
    """Verdicts of Spider's evaluator and its seconds. Raises RuntimeError with what it said where it fails."""
    lines = folder / "questions.jsonl"
    lines.write_text(
        "".join(json.dumps({"db_id": q.db_id, "gold": q.gold, "predicted": q.predicted}) + "\n" for q in asked)
    )
    program = Path(__file__).with_name("with_spider.py")
    started = time.perf_counter()
    ended = subprocess.run(
        [str(environment(options.environments)), str(program), str(options.spider_evaluator.resolve()), str(lines),
         str(databases), distinct],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    verdicts = [line == "1" for line in ended.stdout.split()]
    if ended.returncode or len(verdicts) != len(asked):
        raise RuntimeError(f"{len(verdicts)} verdicts on {len(asked)} questions: {ended.stderr[-2000:]}")
    return verdicts, seconds


def environment(environments: Path) -> Path:
    """The Python of an environment with what the evaluator imports, made with uv the first time."""
    path = environments / "spider-evaluator"
    if not path.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", str(path)], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", f"{path}/bin/python", *NEEDS], check=True)
    return path / "bin" / "python"


def bird(asked: Sequence[Question]) -> Told:
    """BIRD's execution accuracy (Li et al. 2023), one question after another, in the naive way."""
    started = time.perf_counter()
    verdicts = [equal_sets(q) for q in asked]
    return Told("bird", "BIRD's rule, naively", verdicts, time.perf_counter() - started)


def equal_sets(question: Question) -> bool:
    path = SPIDER / f"database/{question.db_id}/{question.db_id}.sqlite"
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.text_factory = lambda data: data.decode(errors="ignore")  # some of Spider's texts are in no encoding
    clock = threading.Timer(BIRD_SECONDS, db.interrupt)
    clock.start()
    try:
        return set(db.execute(question.predicted).fetchall()) == set(db.execute(question.gold).fetchall())
    except (sqlite3.Error, sqlite3.Warning):
        return False
    finally:
        clock.cancel()
        db.close()


def show(system: str, told: Told, results: Sequence[dict], seconds: float) -> None:
    pairs = list(zip(told.verdicts, (bool(r[told.rule]) for r in results), strict=True))
    same = sum(a == b for a, b in pairs)
    differing = f"{pairs.count((True, False))} refused, {pairs.count((False, True))} accepted"
    accuracies = " ".join(f"{100 * sum(side) / len(pairs):.1f}" for side in zip(*pairs, strict=True))
    theirs, ratio = ("", "") if told.seconds is None else (f"{told.seconds:.1f}", f"{told.seconds / seconds:.1f}")
    agreement = f"{100 * same / len(pairs):.2f} % of {len(pairs)} ({differing})"
    print(f"| {system} | {told.rule} | {told.by} | {agreement} | {accuracies} | {theirs} | {ratio} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, metavar="NAME")
    parser.add_argument("--spider-evaluator", type=Path, help="a clone of github.com/taoyds/test-suite-sql-eval")
    parser.add_argument("--suites", type=Path, help="its distilled test suites: the folder with a folder for each db")
    parser.add_argument("--environments", type=Path, default=Path("~/.cache/sql-rl-peers").expanduser())
    options = parser.parse_args()
    if not SPIDER.exists():
        sys.exit(f"{SPIDER} is missing: put Spider dev there")
    if options.spider_evaluator and not (options.spider_evaluator / "exec_eval.py").exists():
        sys.exit(f"--spider-evaluator {options.spider_evaluator}: no exec_eval.py in it: clone test-suite-sql-eval")
    if not options.spider_evaluator:
        print("without --spider-evaluator: beside the verdicts that it gave once, and no time of it\n")
    print("| system | rule | beside | agreement of evaluate | accuracy %: theirs, ours | theirs s | times ours |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(SPIDER / "database", folder / "database")  # Spider's evaluator opens databases to write
        spent = []
        for system in options.systems:
            asked = questions(system)
            results, seconds = ours(system, folder)
            spent.append(seconds)
            for told in [*theirs(system, asked, options, folder), bird(asked)]:
                show(system, told, results, seconds)
    taken = ", ".join(f"{system} {seconds:.1f} s" for system, seconds in zip(options.systems, spent, strict=True))
    print(f"\nevaluate, all six metrics with eight variants together: {taken}\n{machine()}")


if __name__ == "__main__":
    main()
