"""Predictions through Spider's own evaluator: run by compare.py, in an environment that has it and not us.

    python with_spider.py EVALUATOR QUESTIONS.jsonl DATABASES keep|strip

EVALUATOR is a clone of github.com/taoyds/test-suite-sql-eval. QUESTIONS.jsonl: {"db_id", "gold", "predicted"} a line.
DATABASES: a folder for each db_id, whose .sqlite files are all asked. Prints a verdict (0 or 1) for each question.
"""

import contextlib
import json
import sys
from pathlib import Path


def main() -> None:
    evaluator, questions, databases, distinct = sys.argv[1:]
    sys.path.insert(0, evaluator)
    from exec_eval import eval_exec_match

    for line in Path(questions).read_text().splitlines():
        asked = json.loads(line)
        database = str(Path(databases, asked["db_id"], asked["db_id"] + ".sqlite"))
        with contextlib.redirect_stdout(sys.stderr):
            verdict = eval_exec_match(
                db=database,
                p_str=asked["predicted"].replace(" value ", " 1 "),  # as its evaluation.py does before it asks
                g_str=asked["gold"],
                plug_value=False,
                keep_distinct=distinct == "keep",
                progress_bar_for_each_datapoint=False,
            )
        print(verdict)


if __name__ == "__main__":
    main()
