"""How right is the judge? Against Spider's official verdicts, on near misses, and on rewrites that are right.

    python benchmarks/judge_accuracy.py [--every N] [--show]

Reads Spider dev from ../shared/data (972 questions, 19 databases, predictions of four systems with the verdicts of
the official evaluator) and runs the code of a judge's worker, in two processes. --every N takes each Nth question.
--show prints each case that counts against the judge. Mutants that the eight variants of the default seed do not
tell from the gold are checked on 32 variants of other seeds: told apart there, they count as wrongly accepted; else
they are taken to be equivalent.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import Pool
from pathlib import Path

from mutants import mutants
from rewrites import rewrites

from sql_rl.judge.bench import Bench, form_of
from sql_rl.judge.case import Case
from sql_rl.judge.verdict import Verdict
from sql_rl.settings import JudgeSettings

SPIDER = Path(__file__).parents[2] / "shared/data/spider"
SYSTEMS = ("dail_gpt4", "codes_7b", "chatgpt_thu_bpm", "qwen25coder15b_base_0shot")
RULES = {"spider": "spider", "spider_keep_distinct": "spider_keep_distinct", "spider_suite": "suite"}
OTHER_SEEDS = (101, 102, 103, 104)
PER_OPERATOR = 2  # mutants of one operator for one gold
PER_GOLD = 8  # rewrites of one gold


@dataclass
class Findings:
    """What one gold adds to the table. scores: official verdict and ours, by system, rule and question."""

    scores: list[tuple[str, str, int, bool, bool]] = field(default_factory=list)
    mutants: Counter[tuple[str, str]] = field(default_factory=Counter)  # by operator and fate
    rewrites: Counter[tuple[str, bool]] = field(default_factory=Counter)  # by rule and whether they were accepted
    against: list[str] = field(default_factory=list)
    setup_ms: float = 0.0


def questions() -> list[dict]:
    return json.loads((SPIDER / "dev.json").read_text())


def predictions() -> dict[str, list[tuple[str, dict]]]:
    """By system, for each question: the predicted query and its official verdicts."""
    found = {}
    for system in SYSTEMS:
        queries = (SPIDER / f"predictions/{system}.sql").read_text().splitlines()
        verdicts = (SPIDER / f"predictions/{system}.verdicts.jsonl").read_text().splitlines()
        found[system] = list(zip(queries, map(json.loads, verdicts), strict=True))
    return found


@cache
def bench(seed: int) -> Bench:
    """This process's bench for a seed, as a worker has one."""
    return Bench(JudgeSettings(seed=seed, seconds=60.0), announce=lambda phase: None)


def ask(op: str, path: str, gold: str, sql: str, seed: int = 0) -> dict:
    """A worker's reply to a request, as it comes out of the pipe."""
    request = {"op": op, "database": path, "context": "", "gold": gold, "sql": sql}
    return json.loads(json.dumps(bench(seed).answer(request), default=form_of))


def investigate(task: tuple[str, str, list[tuple[int, str, str, dict]]]) -> Findings:
    """All that is asked of one gold. The task: its database, its text, and what the systems answered."""
    database, gold, predicted = task
    findings = Findings()
    path = str(SPIDER / f"database/{database}/{database}.sqlite")
    ask("judge", path, "SELECT 1", "SELECT 2 - 1")  # reads the database, which many golds share
    started = time.process_time()
    ask("judge", path, gold, f"SELECT * FROM ({gold.rstrip('; ')})")  # agrees with the gold, so variants are made
    findings.setup_ms = 1000 * (time.process_time() - started)
    for position, system, query, official in predicted:
        scores = ask("score", path, gold, query)
        for rule, name in RULES.items():
            verdict = scores[rule]
            findings.scores.append((system, rule, position, bool(official[name]), verdict))
            if verdict != bool(official[name]):
                fate = f"{rule} {system} {'accepted' if verdict else 'refused'} {scores['judgement']['database']}"
                findings.against.append(f"{fate}\n   gold {gold}\n   said {query}")
    case = bench(0).case(path, "", gold)
    assert isinstance(case, Case), f"{gold}: {case}"
    chance = random.Random(gold)
    _try_mutants(case, path, gold, chance, findings)
    _try_rewrites(case, path, gold, chance, findings)
    return findings


def _try_mutants(case: Case, path: str, gold: str, chance: random.Random, findings: Findings) -> None:
    made = mutants(case.reference.tree, case.ground.schema)
    chance.shuffle(made)
    tried: Counter[str] = Counter()
    for operator, text in made:
        if tried[operator] == PER_OPERATOR:
            continue
        verdict = Verdict(ask("judge", path, gold, text)["verdict"])
        if verdict is Verdict.ERROR:
            continue
        tried[operator] += 1
        fate = {Verdict.MISMATCH: "given", Verdict.LUCKY: "variants"}.get(verdict, "accepted")
        if fate == "accepted":
            others = (ask("judge", path, gold, text, seed)["verdict"] for seed in OTHER_SEEDS)
            if all(verdict == Verdict.MATCH for verdict in others):
                fate = "equivalent"
            else:
                findings.against.append(f"mutant ({operator}) accepted\n   gold {gold}\n   said {text}")
        findings.mutants[operator, fate] += 1


def _try_rewrites(case: Case, path: str, gold: str, chance: random.Random, findings: Findings) -> None:
    made = rewrites(case.reference.tree, case.ground.schema)
    for rule, text in chance.sample(made, min(PER_GOLD, len(made))):
        judgement = ask("judge", path, gold, text)
        findings.rewrites[rule, judgement["verdict"] == Verdict.MATCH] += 1
        if judgement["verdict"] != Verdict.MATCH:
            why = " ".join(judgement[name] for name in ("verdict", "database", "reason"))
            findings.against.append(f"rewrite ({rule}) refused: {why}\n   gold {gold}\n   said {text}")


def tasks(every: int) -> list[tuple[str, str, list[tuple[int, str, str, dict]]]]:
    """One task for each different gold of a database."""
    said = predictions()
    by_gold: dict[tuple[str, str], list[tuple[int, str, str, dict]]] = {}
    for position, question in enumerate(questions()):
        answers = by_gold.setdefault((question["db_id"], question["query"]), [])
        answers += [(position, system, *said[system][position]) for system in SYSTEMS]
    return [(database, gold, answers) for (database, gold), answers in by_gold.items()][::every]


def report(found: list[Findings]) -> str:
    lines = ["| agreement with the official verdicts | spider | spider_keep_distinct | spider_suite against suite |"]
    lines.append("|---|---|---|---|")
    for system in SYSTEMS:
        cells = []
        for rule in RULES:
            pairs = [score[3:] for each in found for score in each.scores if score[:2] == (system, rule)]
            refused, accepted = (sum(pair == wrong for pair in pairs) for wrong in ((True, False), (False, True)))
            share = 100 * (1 - (refused + accepted) / len(pairs))
            cells.append(f"{share:.2f} % of {len(pairs)} ({refused} refused, {accepted} accepted)")
        lines.append(f"| {system} | {' | '.join(cells)} |")
    fates: Counter[str] = Counter()
    for each in found:
        for (_, fate), count in each.mutants.items():
            fates[fate] += count
    kept = fates["given"] + fates["variants"] + fates["accepted"]
    rewritten = sum((each.rewrites for each in found), Counter())
    refused = sum(count for (_, accepted), count in rewritten.items() if not accepted)
    lines += [
        "",
        f"one-edit mutants that some database tells apart: {kept} ({fates['equivalent']} more are told by none)",
        f"  accepted on the given database alone: {100 * (kept - fates['given']) / kept:.1f} %",
        f"  accepted with 8 variants: {fates['accepted']}, {100 * fates['accepted'] / kept:.2f} %",
        f"meaning-preserving rewrites: {rewritten.total()}, refused: {refused}",
        f"set-up of a gold and its 8 variants: median {statistics.median(f.setup_ms for f in found):.1f} ms of CPU",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not SPIDER.exists():
        sys.exit(f"{SPIDER} is missing: put Spider dev there")
    started = time.perf_counter()
    with Pool(2) as pool:
        found = pool.map(investigate, tasks(options.every), chunksize=8)
    if options.show:
        print("\n".join(line for each in found for line in each.against))
    print(report(found))
    print(f"measured in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
