"""The whole path of a real model on one GPU: distil, SFT, GRPO with the judge's reward, Spider dev before and after.

    uv run benchmarks/gpu_path.py --out FOLDER --model FILE.gguf    # again and again, until it exits 0
    uv run benchmarks/gpu_path.py --out FOLDER --dry-run            # all of it with a micro student on a CPU

Each call works for at most --piece-seconds, stops what is under way in good order, and exits 3; the next call goes on.
Every piece is a command of main.py (printed, its output in FOLDER/logs), and leaves FOLDER/pieces/NAME.json; the table
of all of them is FOLDER/table.md. Pieces that only compare may fail without ending the rest. docs/gpu.md has the rest.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from gpu_table import evaluated, table, trained
from machine import ROOT, machine

from sql_rl.errors import SqlRlError

SPIDER = ROOT.parent / "shared" / "data" / "spider"
STYLE = "query-plan"
ENOUGH = 45  # seconds; with less left, no further piece is begun
GRACE = 70  # seconds; for a checkpoint of all weights and optimizer states, after SIGTERM
ALL = 1_000_000
STOPPED = (3, -signal.SIGTERM, -signal.SIGKILL)  # the latter two before a command listens, or while it does not


@dataclass(frozen=True, slots=True)
class Size:
    """rows, questions: at most so many. samples: drawn answers to each question. prompt: tokens, as `evaluate` counts
    them; the others are settings of the commands, in the place of their defaults."""

    rows: int
    questions: int
    samples: int
    prompt: int
    evaluate: dict[str, Any]
    top: dict[str, Any]
    train: dict[str, Any]
    sft: dict[str, Any]
    grpo: dict[str, Any]
    compare: dict[str, Any]


# All weights, in float32 with bfloat16 autocast: 270 million fill a small part of a GPU of 139 GB, and LoRA would learn
# less. Batches are what keeps it busy; with a vocabulary of 262,144 the logits of 32 completions alone are 13 GB.
FULL = Size(
    rows=ALL,
    questions=ALL,
    samples=8,
    prompt=900,
    evaluate={"batch_size": 512},
    top={"max_prompt_length": 1664, "max_seq_length": 2176, "max_tokens": 448},
    train={"batch_size": 32, "eval_rows": 200, "eval_batch_size": 200, "max_completion_length": 448}
    | {"gpu_memory_utilization": 0.3},
    sft={
        "sft_learning_rate": 1e-4,
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.01,
        "warmup_ratio": 0.03,
        "sft_gradient_accumulation_steps": 1,
        "num_train_sft_epochs": 5,
        "sft_eval_steps": 180,
        "save_steps": 180,
    },
    grpo={
        "grpo_learning_rate": 3e-6,
        "gradient_accumulation_steps": 8,
        "num_generations": 8,
        "grpo_max_steps": 48,
        "eval_steps": 16,
        "save_steps": 16,
    },
    compare={"limit": 1200, "batch_size": 16, "sft_max_steps": 20, "grpo_max_steps": 6, "max_completion_length": 256},
)
DRY = Size(
    rows=120,
    questions=6,
    samples=2,
    prompt=450,
    evaluate={"batch_size": 24},
    top={"max_prompt_length": 1200, "max_seq_length": 2048, "max_tokens": 24},
    train={"batch_size": 4, "eval_rows": 16, "eval_batch_size": 16, "max_completion_length": 24},
    sft={
        "sft_learning_rate": 1e-3,
        "sft_gradient_accumulation_steps": 1,
        "sft_max_steps": 4,
        "sft_eval_steps": 4,
        "save_steps": 2,
    },
    grpo={
        "gradient_accumulation_steps": 2,
        "num_generations": 4,
        "grpo_max_steps": 2,
        "eval_steps": 2,
        "save_steps": 1,
    },
    compare={"limit": 40, "sft_max_steps": 2, "grpo_max_steps": 1, "max_completion_length": 16},
)
COMPARED = {"full_finetuning": False, "eval_rows": 0, "use_vllm": "never", "sft_gradient_accumulation_steps": 1}  # LoRA


class OutOfTimeError(Exception):
    """This call's time is over, or a signal says so."""


class FailedError(Exception):
    """A command failed. Its last line."""


@dataclass(frozen=True, slots=True)
class Setup:
    out: Path
    data: Path
    model: str | None
    size: Size
    dry: bool
    ends: float  # of time.monotonic()

    def at(self, *names: str) -> Path:
        return self.out.joinpath(*names)

    @property
    def base(self) -> str:
        """The student before anything is learned: a folder."""
        made = self.dry or Path(self.model).is_file()
        return str(self.at("base")) if made else self.model

    def config(self, name: str, **settings: Any) -> list[str]:
        """A config file, as options of a command."""
        path = self.at(f"{name}.yaml")
        path.write_text(yaml.safe_dump({"report": False, **settings}))
        return ["--config", str(path)]

    def train(self, name: str, **settings: Any) -> None:
        """The command `train` with these settings, into a folder of that name."""
        # The golds were proven when the rows were distilled.
        stated = {"audit": False, "test_rows": 0, "dataset_repo_id": str(self.at("rows.parquet"))}
        stated |= {"output_dir": str(self.at(name))} | self.size.train | settings
        self.run(name, "train", *self.config(name, **self.size.top, train=stated))

    def run(self, name: str, *arguments: str) -> None:
        """A command of main.py, until this call's time is over. Raises OutOfTimeError, FailedError."""
        command = [sys.executable, str(ROOT / "main.py"), *arguments]
        print(f"$ main.py {shlex.join(arguments)}", flush=True)
        log = self.at("logs", f"{name}.log")
        with log.open("a") as output:
            output.write(f"\n$ main.py {shlex.join(arguments)}\n")
            output.flush()
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, process_group=0)
            code = self._wait(process)
        if code in STOPPED:
            raise OutOfTimeError
        if code:
            said = log.read_text(errors="replace").strip().splitlines()
            raise FailedError(said[-1].removeprefix("error: "))

    def _wait(self, process: subprocess.Popen) -> int:
        try:
            return process.wait(timeout=max(1.0, self.ends - time.monotonic()))
        except (subprocess.TimeoutExpired, OutOfTimeError):
            process.terminate()
        try:
            process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return STOPPED[0]


@dataclass(frozen=True, slots=True)
class Piece:
    """name: of its files. work: does it, or carries it on. result: what came of it. needed: the rest stands on it."""

    name: str
    work: Callable[[], None]
    result: Callable[[], dict[str, Any]]
    needed: bool = True


def pieces(setup: Setup) -> list[Piece]:
    """All of them, in their order."""
    size, at = setup.size, setup.at
    local = "vllm" if not setup.dry and find_spec("vllm") else "local"

    def rows() -> None:
        options = ["--provider", "offline", "--reasoning-style", STYLE, "--validate", "--remove-no-valid"]
        source = ["--dataset-repo-id", str(setup.data / "train_rows.parquet"), "--limit", str(size.rows)]
        setup.run("rows", "distill", *source, *options, "--output-dir", str(at("distilled")), *setup.config("rows"))
        from gpu_rows import shorten

        found = shorten(at("distilled"), at("rows.parquet"), STYLE, size.prompt)
        at("rows.json").write_text(json.dumps(found))

    def evaluate(name: str, model: str, other: str = "") -> Piece:
        def work() -> None:
            top = size.top | {"max_prompt_length": size.prompt}
            options = ["--provider", local, "--reasoning-style", STYLE, "--samples", str(size.samples)]
            options += ["--limit", str(size.questions), "--output-dir", str(at(name))]
            options += ["--compare", str(at(other))] if other else []
            options += setup.config(name, **top, evaluate=size.evaluate)
            setup.run(name, "evaluate", "--benchmark", str(setup.data), "--model", model, *options)

        return Piece(name, work, lambda: evaluated(at(name)))

    def train(name: str, stage: str, model: str, settings: dict[str, Any]) -> Piece:
        stated = {"backend": "transformers", "full_finetuning": True, "model": model, "stage": stage} | settings
        return Piece(name, lambda: setup.train(name, **stated), lambda: trained(at(name)))

    def compare(backend: str) -> Piece:
        settings = size.grpo | size.compare | COMPARED | {"backend": backend, "model": setup.base}
        return Piece(backend, lambda: setup.train(backend, **settings), lambda: trained(at(backend)), needed=False)

    sft, grpo = str(at("sft", "merged")), str(at("grpo", "merged"))
    return [
        Piece("rows", rows, lambda: json.loads(at("rows.json").read_text())),
        Piece("base", lambda: make_base(setup), lambda: {"folder": Path(setup.base).name}),
        evaluate("before", setup.base),
        train("sft", "sft", setup.base, size.sft),
        evaluate("after-sft", sft, "before"),
        train("grpo", "grpo", sft, size.grpo),
        evaluate("after-grpo", grpo, "after-sft"),
        compare("transformers"),
        compare("unsloth"),
    ]


def make_base(setup: Setup) -> None:
    """The student as a folder: a GGUF file unpacked, with the chat template that all pieces use; else a micro one."""
    folder = setup.at("base")
    if str(folder) != setup.base or folder.exists():
        return
    part = setup.at("base.new")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    if setup.dry:
        import pyarrow.parquet as pq

        from sql_rl.students import StudentSpec, open_student

        messages = pq.read_table(setup.at("rows.parquet"), columns=["messages"])["messages"].to_pylist()
        open_student(StudentSpec(model="micro"), (m["content"] for row in messages for m in row)).save(part)
    else:
        from transformers import AutoTokenizer

        from sql_rl.students.chat_template import prepare
        from sql_rl.students.gguf import unpack

        unpack(Path(setup.model), part)
        tokenizer = AutoTokenizer.from_pretrained(part)
        prepare(tokenizer, setup.model)
        tokenizer.save_pretrained(part)
    part.replace(folder)


def take(piece: Piece, setup: Setup, names: list[str]) -> str:
    """Does a piece, or carries it on; 'done', 'stopped' or 'failed', as its file says. names: of all, for the table."""
    path = setup.at("pieces", f"{piece.name}.json")
    noted = json.loads(path.read_text()) if path.exists() else {"piece": piece.name, "seconds": 0.0, "calls": 0}
    if noted.get("state") == "done":
        return "done"
    started, noted["calls"] = time.monotonic(), noted["calls"] + 1
    noted.pop("error", None)
    try:
        piece.work()
        noted |= {"state": "done", "result": piece.result(), "machine": machine(), "gpu": gpu()}
    except OutOfTimeError:
        noted["state"] = "stopped"
    except (FailedError, SqlRlError) as error:
        noted |= {"state": "failed", "error": str(error)}
    noted["seconds"] = round(noted["seconds"] + time.monotonic() - started, 1)
    path.write_text(json.dumps(noted, indent=2) + "\n")
    setup.at("table.md").write_text(table(setup.at("pieces"), names))
    print(f"{piece.name}: {noted['state']}, {noted['seconds']:.0f} s {noted.get('error', '')}", flush=True)
    return noted["state"]


def gpu() -> str:
    """The GPU's name and memory; '' where there is none."""
    if shutil.which("nvidia-smi") is None:
        return ""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="for everything; 12 GB")
    parser.add_argument("--model", help="the base model: a .gguf file or a folder")
    parser.add_argument("--data", type=Path, default=SPIDER, help="Spider: dev.json, database/, train_rows.parquet")
    parser.add_argument("--piece-seconds", type=float, default=520, help="of one call (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="a micro student, a few rows and steps, on a CPU")
    options = parser.parse_args()
    if not (options.data / "train_rows.parquet").is_file():
        parser.error(f"--data: {options.data} has no train_rows.parquet")
    if not options.dry_run and not (options.model and Path(options.model).exists()):
        parser.error(f"--model: {options.model or 'none given'}: give a .gguf file or a folder, or --dry-run")
    out = options.out.resolve()
    for name in ("logs", "pieces"):
        (out / name).mkdir(parents=True, exist_ok=True)
    model = None if options.dry_run else str(Path(options.model).resolve())
    ends = time.monotonic() + options.piece_seconds
    setup = Setup(out, options.data.resolve(), model, DRY if options.dry_run else FULL, options.dry_run, ends)

    def over(number: int, _: Any) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGTERM, over)
    signal.signal(signal.SIGINT, over)
    try:
        return walk(setup)
    except OutOfTimeError:  # between two pieces
        return 3


def walk(setup: Setup) -> int:
    """Piece after piece, as far as time allows. Returns the exit code: 0 all done, 1 a needed one failed, 3 go on."""
    todo = pieces(setup)
    for piece in todo:
        if time.monotonic() > setup.ends - ENOUGH:
            print(f"no time is left for {piece.name}; the same command goes on")
            return 3
        state = take(piece, setup, [p.name for p in todo])
        if state == "stopped":
            print("the same command goes on")
            return 3
        if state == "failed" and piece.needed:
            return 1
    print(setup.at("table.md").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
