"""Write question, database and query rows in the Gretel columns, from the domains in `sample_rows/domains`.

    python tools/make_sample.py                                         the bundled sample, sql_rl/sample.jsonl
    python tools/make_sample.py --rows 2000 --seed 1 --split train --out train.jsonl

Every row has its own database, drawn anew; a round over all asks gives one row each, and further rounds ask the same
things of other values until there are enough. Every fifth domain is held out, so a `train` and a `held-out` file share
no schema. The same arguments give the same file.
"""

import argparse
import json
import sys
from collections.abc import Collection, Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

import sqlglot
from sqlglot import exp

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sample_rows.domain import Ask, Domain, read_domains  # noqa: E402
from sample_rows.draw import create_statements, draw_rows, fill  # noqa: E402
from sample_rows.label import COMPLEXITIES, TASKS, complexity, explanation, task  # noqa: E402
from sample_rows.proof import flaw  # noqa: E402

ATTEMPTS = 200  # draws before an ask is taken to be impossible on its domain
BUNDLED = 352  # rows of the bundled sample: every ask once
IDLE_ROUNDS = 20  # rounds without a new question before the asks count as used up


def make_rows(
    seed: int, split: str = "all", *, sound: bool = False, names: Collection[str] = ()
) -> Iterator[dict[str, object]]:
    """Rows with unique questions, round after round; those that are broken on purpose in the first round only.

    split: 'all', 'train' or 'held-out'. sound: without the broken ones. names: of these domains only. Ends when no new
    question turns up. Raises RuntimeError for an ask that no draw satisfies.
    """
    domains = [domain for number, domain in enumerate(read_domains()) if split in ("all", _split(number))]
    domains = [domain for domain in domains if not names or domain.name in names]
    asked: set[str] = set()
    idle = 0
    for turn in count():
        found = len(asked)
        for domain, place, ask in _round(domains, Random(f"{seed} {turn}")):
            if ask.edits and (turn or sound):
                continue
            row = _row(domain, ask, Random(f"{seed} {turn} {domain.name} {place}"))
            if row["sql_prompt"] not in asked:
                asked.add(row["sql_prompt"])
                yield {"id": len(asked)} | row
        idle = idle + 1 if len(asked) == found else 0
        if idle == IDLE_ROUNDS:
            return


def _round(domains: list[Domain], rng: Random) -> list[tuple[Domain, int, Ask]]:
    """Every ask of every domain with its place in it, shuffled."""
    asks = [(domain, place, ask) for domain in domains for place, ask in enumerate(domain.asks)]
    rng.shuffle(asks)
    return asks


def _split(number: int) -> str:
    return "held-out" if number % 5 == 4 else "train"


def _row(domain: Domain, ask: Ask, rng: Random) -> dict[str, str]:
    reason = ""
    for _ in range(ATTEMPTS):
        rows = draw_rows(domain, rng)
        question, query = fill(ask, rows, rng)
        tree = sqlglot.parse_one(query, read=domain.dialect)
        context = create_statements(domain, rows, {table.name for table in tree.find_all(exp.Table)}, rng)
        reason = flaw(context, query, domain.dialect)
        if not reason:
            return _broken(_labelled(domain, question, context, query, tree), ask)
    raise RuntimeError(f"{domain.name}: {reason}: {query}")


def _labelled(domain: Domain, question: str, context: str, query: str, tree: exp.Expression) -> dict[str, str]:
    level, purpose = complexity(tree), task(tree)
    return {
        "domain": domain.name,
        "domain_description": domain.about,
        "sql_complexity": level,
        "sql_complexity_description": COMPLEXITIES[level],
        "sql_task_type": purpose,
        "sql_task_type_description": TASKS[purpose],
        "sql_prompt": question,
        "sql_context": context,
        "sql": query,
        "sql_explanation": explanation(query, context, domain.dialect),
    }


def _broken(row: dict[str, str], ask: Ask) -> dict[str, str]:
    for column, old, new in ask.edits:
        if old not in row[column]:
            raise RuntimeError(f"{row['domain']}: nothing to edit, no {old!r} in {row[column]!r}")
        row = row | {column: row[column].replace(old, new)}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=BUNDLED, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="everything is drawn from it (%(default)s)")
    parser.add_argument("--split", choices=("all", "train", "held-out"), default="all", help="which domains")
    parser.add_argument("--sound", action="store_true", help="leave out the rows that are broken on purpose")
    parser.add_argument("--out", type=Path, default=ROOT / "sql_rl" / "sample.jsonl", help="the file to write")
    options = parser.parse_args()
    made = make_rows(options.seed, options.split, sound=options.sound)
    rows = list(islice(made, options.rows))
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    if len(rows) < options.rows:
        sys.exit(f"only {len(rows)} of {options.rows} rows: no new question turns up")


if __name__ == "__main__":
    main()
