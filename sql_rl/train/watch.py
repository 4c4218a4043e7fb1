"""What looks on while TRL trains: writes metrics and samples, evaluates, keeps the best, and stops on a signal.

transformers' callbacks, one for each of these, so that the trainers stay TRL's. Imported once settings are checked.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sql_rl.runs.folder import write_whole
from sql_rl.students import Student
from sql_rl.terminal.progress import Count, Display
from sql_rl.train.checkpoints import complete
from sql_rl.train.evaluation import Evaluation
from sql_rl.train.metrics import Lines
from sql_rl.train.sampler import DifficultySampler
from sql_rl.train.scoring import Scoring
from sql_rl.train.stop import Stop

_ONCE = ("train_runtime", "total_flos")  # of the last line that transformers logs: about the run, not a step


class Stopper(TrainerCallback):
    """Saves and stops after a signal, at a step that a run can be carried on from. stride: steps between such.

    Of several processes all stop where one has got the signal: it reaches them at different moments, and one that went
    on alone would wait for the others for ever.
    """

    def __init__(self, stop: Stop, stride: int) -> None:
        self._stop, self._stride = stop, stride

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        if state.global_step % self._stride == 0:
            signals = [signal for signal in gather_object([self._stop.signal]) if signal]
            if signals:
                self._stop.signal = signals[0]
                control.should_save = control.should_training_stop = True
        return control


class Recorder(TrainerCallback):
    """Writes metrics.jsonl and samples.jsonl, and shows the step on the terminal. kept: completions of each step."""

    def __init__(
        self,
        stage: str,
        folder: Path,
        scoring: Scoring | None,
        kept: int,
        display: Display,
        count: Count,
        say: Callable[[str], None],
    ) -> None:
        self._say = say
        self._stage, self._scoring, self._kept = stage, scoring, kept
        self._metrics, self._samples = Lines(folder / "metrics.jsonl"), Lines(folder / "samples.jsonl")
        self._display, self._count, self._last = display, count, time.monotonic()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._count.done, self._last = state.global_step, time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._count.done = state.global_step
        self._display.update()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        if any(name in logs for name in _ONCE) or not state.is_world_process_zero:
            return
        now = time.monotonic()
        self._metrics.add(self._stage, state.global_step, [logs | {"seconds/step": round(now - self._last, 4)}])
        self._last = now
        if self._scoring is not None:
            self._samples.add(self._stage, state.global_step, samples(self._scoring, self._kept))

    def evaluated(self, step: int, found: Evaluation) -> None:
        """A greedy evaluation, as a line of metrics; its time is no step's."""
        self._metrics.add(self._stage, step, [{f"eval/{k}": v for k, v in found.as_dict().items()}])
        self._last += found.seconds
        right, rows = sum(found.scorable), len(found.scorable)
        self._say(f"{self._stage}, step {step}: greedy EX {100 * found.ex:.1f} % ({right} of {rows} watched rows)")


def samples(scoring: Scoring, kept: int) -> Iterator[dict[str, Any]]:
    """The first `kept` rollouts of the last generation, as records."""
    for r in scoring.latest[:kept]:
        row, judged = scoring.row(r.row), r.scored.judgement
        yield {
            "row": row.example.row,
            "question": row.example.question,
            "text": r.text,
            "sql": r.scored.answer.sql,
            "verdict": judged.verdict.value,
            "reason": judged.reason,
            "rewards": dict(r.rewards),
        }


class Evaluator(TrainerCallback):
    """Greedy evaluation every so many steps; the best student so far is kept in `folder`.

    best: {"step", "ex"} of it. Of equals the earlier one stays: it has drifted less. from_start: the student is looked
    at before the first step too. stop_at: training ends when EX reaches it, None trains to the end.
    """

    def __init__(
        self,
        student: Student,
        evaluate: Callable[[], Evaluation],
        every: int,
        folder: Path,
        recorder: Recorder,
        from_start: bool,
        stop_at: float | None = None,
    ) -> None:
        self._student, self._evaluate, self._every = student, evaluate, every
        self._folder, self._recorder = folder, recorder
        self._from_start, self._stop_at = from_start, stop_at
        self.best: dict[str, Any] | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """What training makes worse is not kept: the student as the stage found it is the first to beat."""
        if state.global_step == 0 and self._from_start:
            self._look(0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        step = state.global_step
        if step == state.max_steps or (self._every and step % self._every == 0):
            ex = self._look(step)
            control.should_training_stop |= self._stop_at is not None and ex >= self._stop_at
        return control

    def _look(self, step: int) -> float:
        """Evaluates now, and keeps the student if it is the best so far."""
        found = self._evaluate()
        self._recorder.evaluated(step, found)
        if self.best is None or found.ex > self.best["ex"]:
            best = {"step": step, "ex": found.ex}
            fresh = self._folder.with_name(f".{self._folder.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            self._student.save(fresh)
            write_whole(fresh / "best.json", json.dumps(best))
            shutil.rmtree(self._folder, ignore_errors=True)
            fresh.replace(self._folder)
            self.best = best
        return found.ex


class Keeper(TrainerCallback):
    """Makes each checkpoint whole, with the states that transformers does not know."""

    def __init__(self, sampler: DifficultySampler | None, evaluator: Evaluator | None) -> None:
        self._sampler, self._evaluator = sampler, evaluator

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            complete(Path(args.output_dir) / f"checkpoint-{state.global_step}", self.state())

    def state(self) -> dict[str, Any]:
        return {
            "sampler": self._sampler.state_dict() if self._sampler else None,
            "best": self._evaluator.best if self._evaluator else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        if self._sampler and state["sampler"]:
            self._sampler.load_state_dict(state["sampler"])
        if self._evaluator:
            self._evaluator.best = state["best"]
