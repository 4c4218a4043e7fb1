"""The plan of an evaluation: what the settings come to, before a question is asked or judged."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_rl import __version__
from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.evaluate.answering import open_answering_teacher
from sql_rl.evaluate.benchmark import Benchmark, open_benchmark
from sql_rl.evaluate.compare import check_shared, read_results
from sql_rl.evaluate.metrics import Result
from sql_rl.evaluate.predictions import read_predictions
from sql_rl.prompts import Prompts, load_prompts
from sql_rl.runs.folder import RunFolder, default_folder
from sql_rl.settings import Settings
from sql_rl.teachers.base import Teacher
from sql_rl.teachers.prices import FREE, Price, price_of

WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt")
# Of the section: what changes how an evaluation goes, and not what comes out.
_MANNER = ("resume", "compare", "batch_size", "rpm", "tpm", "max_cost", "prices", "grace", "output_dir")


@dataclass(frozen=True, slots=True)
class Plan:
    """teacher and prompts where a model is asked, predictions where a file is read; other: results to compare with."""

    settings: Settings
    folder: RunFolder
    benchmark: Benchmark
    predictions: tuple[str | None, ...] | None
    teacher: Teacher | None
    prompts: Prompts | None
    price: Price | None
    other: list[Result] | None

    @property
    def asked(self) -> str:
        """Who or what is measured, for people to read."""
        options = self.settings.evaluate
        return options.model if self.teacher else Path(options.predictions).name

    def identity(self) -> dict[str, Any]:
        """What makes it this run: the rest may change when it is resumed."""
        options = self.settings.evaluate
        run = {"command": "evaluate", "benchmark": options.benchmark, "split": options.split}
        if self.teacher is None:
            return run | {"predictions": options.predictions}
        return run | {
            "provider": options.provider,
            "model": options.model,
            "temperature": options.temperature,
            "max_tokens": self.settings.max_tokens,
            "prompts": self.prompts.digest,
            "weights": weights_of(options.model) if options.provider in ("local", "vllm") else "",
        }

    @property
    def judge_stamp(self) -> dict[str, Any]:
        """What a judgement depends on beside the query and its database."""
        settings = dataclasses.asdict(self.settings.judge)
        return {k: v for k, v in settings.items() if k not in ("workers", "cache_mb")} | {"version": __version__}

    def stated(self) -> dict[str, Any]:
        """The settings as run.json and metrics.json hold them; there are no secrets among them."""
        section = dataclasses.asdict(self.settings.evaluate)
        content = {
            "evaluate": {name: value for name, value in section.items() if name not in _MANNER},
            "judge": self.judge_stamp,
            "benchmark": self.benchmark.identity,
            "version": __version__,
        }
        if self.teacher is None:
            text = "\0".join("" if sql is None else f"+{sql}" for sql in self.predictions)
            return content | {"predictions": hashlib.sha256(text.encode()).hexdigest()[:16]}
        lengths = ("max_tokens", "max_prompt_length", "max_seq_length", "base_url")
        return content | {name: getattr(self.settings, name) for name in lengths} | {"asked": self.identity()}


def plan(settings: Settings, secrets: Secrets) -> Plan:
    """Opens the benchmark and whatever answers it.

    Raises UsageError for what cannot be done, BusyError for a database that a writer holds, SqlRlError where the Hub
    cannot be reached.
    """
    options = settings.evaluate
    if options.benchmark is None:
        raise UsageError(
            "--benchmark is missing: a folder in Spider's or BIRD's layout, or rows (a file, a folder, a Hub id)"
        )
    if (options.model is None) == (options.predictions is None):
        given = "neither" if options.model is None else "both"
        raise UsageError(f"--model or --predictions: {given} given; one of them is what is measured")
    if options.predictions is not None and options.samples:
        raise UsageError(f"--samples {options.samples} needs --model: of a file there is one answer to each question")
    other = read_results(Path(options.compare)) if options.compare else None
    # All questions where a file answers them: it has a prediction for each, whatever the limit.
    limit = options.limit if options.predictions is None else None
    benchmark = open_benchmark(options.benchmark, options.split, limit, settings.columns, secrets.hf_token)
    predictions = None
    if options.predictions is not None:
        predictions = tuple(read_predictions(Path(options.predictions), benchmark.questions))[: options.limit]
        benchmark = dataclasses.replace(benchmark, questions=benchmark.questions[: options.limit])
    if other is not None:
        check_shared(other, {q.id: q.example.question for q in benchmark.questions}, options.compare)
    name = options.model or Path(options.predictions).stem
    path = Path(options.output_dir) if options.output_dir else default_folder("evaluate", benchmark.name, name)
    teacher = prompts = price = None
    if options.model is not None:
        teacher = open_answering_teacher(settings, secrets, path)
        prompts = load_prompts(options.reasoning_style, Path(options.templates) if options.templates else None)
        price = _price(settings)
    return Plan(settings, RunFolder(path), benchmark, predictions, teacher, prompts, price, other)


def _price(settings: Settings) -> Price | None:
    options = settings.evaluate
    if options.provider in ("local", "vllm"):
        return FREE
    price = price_of(options.model, Path(options.prices) if options.prices else None)
    if options.max_cost is not None and price is None:
        raise UsageError(f"--max-cost: no price is known for {options.model}: name one in a file, given as --prices")
    return price


def weights_of(model: str) -> str:
    """What identifies a model that lies here: names, sizes and times of its weights; '' for a Hub id."""
    path = Path(model).expanduser()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in WEIGHTS)
    states = [(str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16] if states else ""
