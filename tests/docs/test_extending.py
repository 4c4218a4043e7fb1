"""The page on extending: its teacher and its reward, put into a copy of the program, do what the page says."""

import json
import subprocess
import sys

from support import parts

SCORE = """
import json
from sql_rl.answers import parse
from sql_rl.judge import Judgement, Verdict
from sql_rl.settings import TrainSettings
from sql_rl.train.rewards import Scored, parts

def paid(reasoning, verdict):
    part, weight = parts(TrainSettings(reasoning_weight=0.1))["reasoning"]
    value = part(Scored(parse(f"<think>{reasoning}</think><sql>SELECT 1</sql>"), Judgement(verdict), 0.5))
    return value, weight

print(json.dumps({
    "long": paid("word " * 20, Verdict.MATCH),
    "short": paid("word " * 19, Verdict.MATCH),
    "broken": paid("word " * 20, Verdict.GOLD_BROKEN),
    "off": "reasoning" in parts(TrainSettings()),
}))
"""


def test_the_teacher_answers_what_its_file_holds_and_the_reward_pays_for_reasoning(world):
    here = world("docs/extending.md")
    ended = here.run(
        "uv run main.py distill --provider recorded --model completions.jsonl --dataset-repo-id sample --limit 30 "
        "--validate --output-dir out"
    )
    assert ended.returncode == 0, ended.stderr
    kept, rejected, summary = parts(here.folder / "out")
    assert len(kept) + len(rejected) == summary["rows"] == 30
    assert summary["accepted"] >= 25
    assert {row["model_name"] for row in kept} == {"completions.jsonl"}

    missing = here.run("uv run main.py distill --provider recorded --model nowhere --dataset-repo-id sample")
    assert missing.returncode == 2
    assert "nowhere: not a file of questions and completions" in missing.stderr

    scored = subprocess.run(
        [sys.executable, "-c", SCORE], cwd=here.folder, env=here.environ, capture_output=True, text=True, check=True
    )
    assert json.loads(scored.stdout) == {"long": [1.0, 0.1], "short": [0.0, 0.1], "broken": [None, 0.1], "off": False}
