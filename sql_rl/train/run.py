"""The job behind `train`: a student, its dataset, and the stages between them, in one folder that one run holds.

metrics.jsonl, samples.jsonl   what happened, step by step (metrics.py)
sft/, grpo/                    checkpoints while a stage goes, then its final (and best) weights
evaluations.json               greedy EX on the test rows, before and after each stage
adapter/ or model/, merged/    what was trained, and the same as 16-bit weights that load anywhere
run.json                       settings, counts, the table of before and after
"""

import dataclasses
import json
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.publish.access import check_write_access
from sql_rl.publish.model import publish_model
from sql_rl.publish.report import write_report_apart
from sql_rl.publish.repository import Repository
from sql_rl.runs.folder import RunFolder, write_whole
from sql_rl.settings import Settings
from sql_rl.terminal.manner import Manner, narrator
from sql_rl.terminal.progress import Count, Display
from sql_rl.train import plan
from sql_rl.train.checkpoints import claim, clear
from sql_rl.train.data import Row
from sql_rl.train.dataset import Dataset, load_dataset
from sql_rl.train.jury import Jury
from sql_rl.train.report import run_json
from sql_rl.train.stage import METRICS, finish, guarded, hush, is_finished, load_weights, run_stage, together
from sql_rl.train.stop import Stop

if TYPE_CHECKING:
    from sql_rl.train.evaluation import Evaluation
    from sql_rl.train.tokens import Tokens

# Settings that may change when a run is carried on: they decide nothing about the weights.
FREE = ("stage", "resume", "output_dir", "publish_repo_id", "private_repo", "report_to", "sample_rows", "export_gguf")
LEFT = ("sft", "grpo", "adapter", "model", "merged", "gguf", "evaluations.json", "run.json", "report.html", *METRICS)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. summary: the content of run.json. unchanged: it had been finished before. published: the
    URL of the repository that has it now, if it was to be published."""

    folder: Path
    summary: dict[str, Any]
    unchanged: bool = False
    published: str | None = None


def train(settings: Settings, secrets: Secrets, manner: Manner = "person") -> Report:
    """Trains the student that the settings name, or carries on.

    Raises UsageError (2) for settings, data or a model that cannot work, StoppedEarlyError (3) after a signal,
    RefusedError (4) where the Hub refuses, BusyError (75), SqlRlError (1) for a full disk or too little memory.
    """
    plan.check(settings)
    folder = RunFolder(plan.folder_of(settings.train))
    if not plan.is_main_process():  # of `accelerate launch`; the first process holds the folder for all
        return _train(settings, secrets, manner, folder)
    o = settings.train
    with folder.held():
        target = check_write_access(o.publish_repo_id, "model", o.private_repo, secrets) if o.publish_repo_id else None
        report = _train(settings, secrets, manner, folder)
        if target:
            publish_model(folder, Repository(target, secrets, say=narrator(manner)))
            report = dataclasses.replace(report, published=target.url)
        return report


def _train(settings: Settings, secrets: Secrets, manner: Manner, folder: RunFolder) -> Report:
    o = settings.train
    started = time.monotonic()
    dataset = load_dataset(settings, secrets, manner)
    if o.stage == "sft" and not any(row.answer for row in dataset.learn):
        raise UsageError(
            f"{o.dataset_repo_id}: none of its {len(dataset.learn)} rows has accepted reasoning to imitate: distil it "
            "first (`main.py distill --validate`), or go straight to --stage grpo"
        )
    if plan.is_main_process():
        if not o.resume:  # only now: a dataset that is no good is no reason to lose what an earlier run left
            clear(folder.path, LEFT)
        claim(folder.path, identity(settings, dataset))
    summary = folder.read_summary() if o.resume else {}
    if summary.get("status") == "finished" and summary["settings"]["train"]["stage"] in (o.stage, "all"):
        return Report(folder.path, summary, unchanged=True)
    # Unsloth and vLLM print what they think of things to stdout, which is the result's.
    with redirect_stdout(sys.stderr):
        return _Run(settings, secrets, manner, folder, dataset, started).go()


def identity(settings: Settings, dataset: Dataset) -> dict[str, Any]:
    """What makes it this run: a checkpoint of another one is not carried on."""
    stated = {k: v for k, v in dataclasses.asdict(settings.train).items() if k not in FREE}
    return stated | dataset.identity | {"max_prompt_length": settings.max_prompt_length, "judge": _judged(settings)}


def _judged(settings: Settings) -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(settings.judge).items() if k not in ("workers", "cache_mb")}


class _Run:
    """One run under way: what its steps share."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        manner: Manner,
        folder: RunFolder,
        dataset: Dataset,
        started: float,
    ) -> None:
        self.settings, self.options, self.folder, self.dataset = settings, settings.train, folder, dataset
        self.started, self.secrets, self.manner = started, secrets, manner
        self.first = plan.is_main_process()
        self.evaluations_file = folder.path / "evaluations.json"
        self.evaluations: dict[str, Any] = {}
        if self.evaluations_file.exists():
            self.evaluations = json.loads(self.evaluations_file.read_text(encoding="utf-8"))

    def go(self) -> Report:
        from sql_rl.students import open_student
        from sql_rl.train.checks import check_student
        from sql_rl.train.export import export
        from sql_rl.train.tokens import fitting, imitable, room_to_answer, tokenized

        o, path = self.options, self.folder.path
        spec = plan.student_spec(self.settings, fast_inference=plan.rolls_out_inside(self.settings))
        self.student = open_student(spec, self.dataset.corpus(), self.secrets.hf_token)
        hush()
        if o.use_vllm == "auto" and self.student.backend == "unsloth" and not self.student.fast_inference:
            self._set(use_vllm="never")  # Unsloth's weights reach no other vLLM
        for note in self.student.notes:
            self._say(note)
        tokens = tokenized(self.dataset.learn, self.student.tokenizer)
        asked = fitting(tokens, self.settings.max_prompt_length)
        taught = imitable(asked, self.settings.max_seq_length)
        self.dataset.left_out["prompt over max_prompt_length"] = len(tokens) - len(asked)
        answered = sum(t.answer is not None for t in asked)
        self.dataset.left_out["answer over max_seq_length (SFT only)"] = answered - len(taught)
        stages = self._stages(taught, asked)
        if self.student.backend == "micro":
            self._shorten(room_to_answer(taught, o.max_completion_length))
        stop = Stop()
        with stop.on_signals(), Jury(self.settings.judge) as jury:
            self.jury = jury
            check_student(self.student, self.settings, asked[0].row, jury)
            self._measure("before", worth=self.student.backend != "micro")
            for number, stage in enumerate(stages):
                stop.check(f"before {stage}")
                if not is_finished(path, stage):
                    if stage == "grpo" and is_finished(path, "sft"):
                        self._load("sft")
                    rows = taught if stage == "sft" else asked
                    self._stage(stage, rows, stop, stages[number + 1 :])
                    if self.first:
                        finish(self.student, path, stage)
                    together()
                self._measure(stage)
            if self.first:
                stop.check("before the export")
                self._load(stages[-1])
                rows = self.dataset.test or self.dataset.watch or self.dataset.learn
                with guarded(path, "export"):
                    exported = export(self.student, path, rows, self.options.max_completion_length, o.export_gguf)
            together()  # a launcher ends all its processes soon after the first that is gone
        if not self.first:
            return Report(path, {})
        summary = run_json(self.settings, self.dataset, self.student, stages, self.evaluations, path, exported)
        summary["seconds"] = round(time.monotonic() - self.started, 3)
        self.folder.write_summary(summary)
        if self.settings.report:
            write_report_apart(path)
        return Report(path, summary)

    def _stages(self, taught: "list[Tokens]", asked: "list[Tokens]") -> tuple[plan.Stage, ...]:
        """Those that the settings ask for and the rows allow."""
        o, stages = self.options, plan.stages(self.options)
        if not asked:
            raise UsageError(
                f"{o.dataset_repo_id}: every prompt has over {self.settings.max_prompt_length} tokens "
                "(max_prompt_length): raise it, or take rows with smaller databases"
            )
        if "sft" in stages and not taught:
            self._say(f"{o.dataset_repo_id} has no accepted reasoning that fits: SFT is left out")
            stages = tuple(stage for stage in stages if stage != "sft")
        if not stages:
            raise UsageError(
                f"{o.dataset_repo_id}: every answer has over {self.settings.max_seq_length} tokens with its prompt "
                "(max_seq_length): raise it"
            )
        groups = plan.batches(o, plan.world_size()).groups
        if "grpo" in stages and len(asked) < groups:
            raise UsageError(
                f"{o.dataset_repo_id}: {len(asked)} questions, but one generation asks {groups} different ones: "
                "lower train.batch_size, or raise train.num_generations"
            )
        return stages

    def _shorten(self, tokens: int) -> None:
        """Completions of at most so many tokens from now on; run.json states it as the setting."""
        if tokens < self.options.max_completion_length:
            self._set(max_completion_length=tokens)
            self._say(f"completions have at most {tokens} tokens: a quarter more than the longest answer to imitate")

    def _set(self, **changes: Any) -> None:
        """Settings that the student decides."""
        self.options = dataclasses.replace(self.options, **changes)
        self.settings = dataclasses.replace(self.settings, train=self.options)

    def _evaluate(self, rows: list[Row]) -> "Evaluation":
        from sql_rl.train.evaluation import evaluate

        o = self.options
        return evaluate(self.student, rows, self.jury, o.max_completion_length, o.eval_batch_size)

    def _load(self, stage: str) -> None:
        """Gives the student the best weights of a finished stage."""
        best = self.folder.path / stage / "best"
        load_weights(self.student, best if best.is_dir() else self.folder.path / stage / "final")

    def _measure(self, name: str, worth: bool = True) -> None:
        """Greedy EX on the test rows, once; the weights that `name` left are in the student."""
        if name in self.evaluations or not worth or not self.dataset.test or not self.first:
            return
        if name != "before":
            self._load(name)
        found = self._evaluate(self.dataset.test)
        self._say(f"{name}: greedy EX {100 * found.ex:.1f} % of {len(found.scorable)} test rows")
        self.evaluations[name] = found.as_dict() | {"right": found.scorable}
        write_whole(self.evaluations_file, json.dumps(self.evaluations) + "\n")

    def _stage(self, stage: plan.Stage, rows: "list[Tokens]", stop: Stop, later: tuple[str, ...]) -> None:
        from sql_rl.students.generation import stop_tokens
        from sql_rl.train.rewards import parts
        from sql_rl.train.sampler import DifficultySampler
        from sql_rl.train.scoring import Scoring
        from sql_rl.train.watch import Evaluator, Keeper, Recorder, Stopper

        o, path, forced = self.options, self.folder.path, self.student.trainer_arguments()
        scoring = sampler = evaluator = None
        if stage == "sft":
            chunked = self.student.backend != "unsloth"  # which computes losses in a way of its own
            arguments = plan.sft_arguments(self.settings, path / stage, len(rows), forced, chunked)
            stride = 1
        else:
            batches = plan.batches(o, plan.world_size())
            stride = batches.stride
            scoring = Scoring([t.row for t in rows], self.jury, parts(o), o.max_completion_length)
            arguments = plan.grpo_arguments(self.settings, path / stage, len(rows), scoring.weights, forced)
            if arguments["use_vllm"]:
                # vLLM ends where the model's own folder says, and a chat template may have taught another token.
                stops = stop_tokens(self.student.model, self.student.tokenizer)
                arguments["generation_kwargs"] = {"stop_token_ids": stops}
            generations = -(-arguments["max_steps"] // batches.optimizer_steps)
            sampler = DifficultySampler(
                len(rows),
                batches.groups,
                o.num_generations,
                batches.repeats,
                int(generations),
                o.seed,
                o.difficulty_sampling,
            )
        steps, count = arguments["max_steps"], Count()
        self._say(f"{stage}: {steps} steps over {len(rows)} rows, into {path}")
        with Display(f"train {stage}", steps, count, sys.stderr, unit="steps", manner=self.manner) as display:
            recorder = Recorder(stage, path, scoring, o.sample_rows, display, count, self._say)
            callbacks: list[Any] = [recorder]
            if self.dataset.watch and (stage == "grpo" or o.sft_eval_steps) and self.first:
                evaluator = Evaluator(
                    self.student,
                    lambda: self._evaluate(self.dataset.watch),
                    o.eval_steps if stage == "grpo" else o.sft_eval_steps,
                    path / stage / "best",
                    recorder,
                    from_start=stage == "grpo",
                    stop_at=o.sft_stop_at if stage == "sft" else None,
                )
                callbacks.append(evaluator)
            keeper = Keeper(sampler, evaluator)
            callbacks += [Stopper(stop, stride), keeper]
            if stage == "sft":
                from sql_rl.train.sft import sft_trainer

                trainer = sft_trainer(self.student, rows, arguments, callbacks)
            else:
                from sql_rl.train.grpo import grpo_trainer

                trainer = grpo_trainer(self.student, rows, scoring, sampler, o.resample_groups, arguments, callbacks)
            run_stage(trainer, keeper, stop, path, stage, later)

    def _say(self, line: str) -> None:
        """A line for whoever watches, from the first process only."""
        if self.first and self.manner != "quiet":
            print(line, file=sys.stderr)
