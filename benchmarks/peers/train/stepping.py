"""One side of the comparison, in a process of its own: so many GRPO steps, a line of JSON after each.

    python -m benchmarks.peers.train.stepping ours|naive --config FILE --model FOLDER --rows FILE --steps N
                                              [--hostile SQL]

ours is the trainer behind `main.py train`, with the judge's processes for rewards. naive is TRL's GRPOTrainer as its
documentation has it, with a reward of ten lines: each query runs in this process, by sqlite3, beside the row's own.
Both get the same weights, rows, hyper-parameters and TRL; neither evaluates nor saves. First a line {"ready"}; for each
step {"step", "seconds", "rewards"} (seconds of the whole step and of its rewards); at the end {"reward", "peak_mb"}
(the mean of all, and the largest process).

--hostile puts a query into the place of the first completion of each batch before it is rewarded.
"""

import argparse
import dataclasses
import json
import re
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from sql_rl.configure import load
from sql_rl.examples import Example
from sql_rl.prompts import completion, load_prompts
from sql_rl.settings import Settings
from sql_rl.sources import open_source
from sql_rl.students import open_student
from sql_rl.train import plan
from sql_rl.train.data import read
from sql_rl.train.grpo import grpo_trainer
from sql_rl.train.jury import Jury
from sql_rl.train.rewards import parts
from sql_rl.train.sampler import DifficultySampler
from sql_rl.train.scoring import REWARD_SECONDS, RewardFunction, Scoring
from sql_rl.train.stage import hush
from sql_rl.train.tokens import fitting, tokenized

SQL = re.compile(r"<sql>(.*?)</sql>", re.DOTALL)


class Clock(TrainerCallback):
    """Tells each step as it ends."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.rewards = 0.0  # seconds of the step under way, where the reward itself counts them

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._last, self.rewards = time.perf_counter(), 0.0

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "reward" in logs:
            rewards = logs.get(REWARD_SECONDS, self.rewards)
            line = {"step": state.global_step, "seconds": time.perf_counter() - self._last, "rewards": rewards}
            print(json.dumps(line), flush=True)


class Poisoned(Scoring):
    """Our scoring, with a query of somebody else's in the place of each batch's first completion."""

    hostile = ""

    def functions(self) -> list[RewardFunction]:
        return [self._poisoned(function) for function in super().functions()]

    def _poisoned(self, function: RewardFunction) -> RewardFunction:
        async def reward(*, completions: list[str], **rest: Any) -> list[float | None]:
            return await function(completions=poisoned(completions, self.hostile), **rest)

        reward.__name__ = function.__name__
        return reward


def poisoned(texts: Sequence[str], hostile: str | None) -> list[str]:
    return [completion("", hostile), *texts[1:]] if hostile else list(texts)


def ours(settings: Settings, examples: Sequence[Example], hostile: str | None, folder: Path) -> list[dict[str, Any]]:
    """The log of a run of our trainer, as `sql_rl/train/run.py` puts it together."""
    prompts = load_prompts(folder=Path(settings.train.templates))
    student = open_student(plan.student_spec(settings, fast_inference=False))
    rows = fitting(
        tokenized([read(example, prompts) for example in examples], student.tokenizer), settings.max_prompt_length
    )
    o, batches = settings.train, plan.batches(settings.train, 1)
    with Jury(settings.judge) as jury:
        scoring = Poisoned([t.row for t in rows], jury, parts(o), o.max_completion_length)
        scoring.hostile = hostile
        arguments = plan.grpo_arguments(settings, folder, len(rows), scoring.weights, student.trainer_arguments())
        sampler = DifficultySampler(
            len(rows), batches.groups, o.num_generations, batches.repeats, o.grpo_max_steps, o.seed, False
        )
        trainer = grpo_trainer(student, rows, scoring, sampler, 0, arguments | {"save_strategy": "no"}, [Clock()])
        return stepped(trainer)


def naive(settings: Settings, examples: Sequence[Example], hostile: str | None, folder: Path) -> list[dict[str, Any]]:
    """The log of a run of TRL's own trainer with the reward that one writes first."""
    from datasets import Dataset

    clock = Clock()
    prompts = load_prompts(folder=Path(settings.train.templates))

    def execution(completions: list[Any], context: list[str], gold: list[str], **_: Any) -> list[float]:
        began = time.perf_counter()
        texts = poisoned([answer[0]["content"] for answer in completions], hostile)
        paid = [right(text, tables, sql) for text, tables, sql in zip(texts, context, gold, strict=True)]
        clock.rewards += time.perf_counter() - began
        return paid

    def right(text: str, tables: str, gold: str) -> float:
        found = SQL.search(text)
        if not found:
            return 0.0
        db = sqlite3.connect(":memory:")
        db.executescript(tables)
        try:
            return float(db.execute(found[1]).fetchall() == db.execute(gold).fetchall())
        except (sqlite3.Error, sqlite3.Warning):
            return 0.0

    student = open_student(plan.student_spec(settings, fast_inference=False))
    arguments = plan.grpo_arguments(settings, folder, len(examples), [1.0], student.trainer_arguments())
    rows = [{"prompt": prompts.draft(e), "context": e.context, "gold": e.gold} for e in examples]
    trainer = GRPOTrainer(
        model=student.model,
        processing_class=student.tokenizer,
        reward_funcs=execution,
        args=GRPOConfig(**arguments | {"save_strategy": "no"}),
        train_dataset=Dataset.from_list(rows),
        callbacks=[clock],
    )
    return stepped(trainer)


def stepped(trainer: GRPOTrainer) -> list[dict[str, Any]]:
    trainer.remove_callback(PrinterCallback)  # prints each step's metrics to stdout, which is ours
    print(json.dumps({"ready": True}), flush=True)
    trainer.train()
    return trainer.state.log_history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("ours", "naive"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--model", required=True, help="the folder of the student")
    parser.add_argument("--rows", required=True, help="what it is asked")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--hostile", help="a query for the first completion of each batch")
    options = parser.parse_args()
    settings, _ = load({}, options.config, environ={})
    train = dataclasses.replace(settings.train, model=options.model, grpo_max_steps=options.steps, full_finetuning=True)
    settings = dataclasses.replace(settings, train=train)
    examples = list(open_source(options.rows, "train", None).examples())
    hush()
    with tempfile.TemporaryDirectory() as folder:  # trainers make one, and leave nothing in it here
        log = {"ours": ours, "naive": naive}[options.side](settings, examples, options.hostile, Path(folder))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    reward = statistics.fmean(line["reward"] for line in log if "reward" in line)
    print(json.dumps({"reward": reward, "peak_mb": round(peak / 1024)}))


if __name__ == "__main__":
    main()
