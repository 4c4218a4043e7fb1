"""Whole runs with a micro student: both stages, interrupted in every way, and what they leave.

One run goes through unbroken; another, of the same settings, is stopped by SIGTERM, finds the disk full, is killed,
and is carried on each time. Both have to end with the same completions and the same weights.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from support import wait_until, write_rows

from sql_rl import students
from sql_rl.configure import Secrets, load
from sql_rl.errors import SqlRlError, StoppedEarlyError, UsageError
from sql_rl.train.metrics import Lines
from sql_rl.train.run import train

pytestmark = pytest.mark.xdist_group("train")  # In one process, so that what they share is made once.

CONTEXT = "CREATE TABLE shop (id INT, town TEXT); INSERT INTO shop VALUES (1, 'Ulm'), (2, 'Bonn')"
RIGHT, WRONG = "SELECT COUNT(*) FROM shop", "SELECT town FROM shop"
TRAIN = {
    "model": "micro",
    "dataset_repo_id": "rows.jsonl",
    "output_dir": "out",
    "templates": "templates",
    "eval_rows": 8,
    "test_rows": 16,
    "eval_batch_size": 16,
    "sft_learning_rate": 4e-3,
    "sft_gradient_accumulation_steps": 1,
    "sft_max_steps": 72,
    "warmup_ratio": 0.1,
    "batch_size": 8,
    "gradient_accumulation_steps": 2,
    "num_generations": 4,
    "grpo_learning_rate": 5e-4,
    "grpo_max_steps": 12,
    "temperature": 1.0,
    "max_completion_length": 32,
    "resample_groups": 1,
    "save_steps": 4,
    "eval_steps": 4,
    "sample_rows": 16,
}


def prepared(folder: Path, **train: Any) -> Path:
    """A folder with rows, prompt templates and a config. Half of what is imitated is wrong: only the reward tells."""
    folder.mkdir(exist_ok=True)
    rows = [
        {
            "id": number,
            "sql_prompt": f"count shops {number}",
            "sql_context": f"{CONTEXT}, ({10 + number % 10}, 'Jena')",
            "sql": RIGHT,
            "generation": f"<think>shops</think><sql>{WRONG if number % 20 < 10 else RIGHT}</sql>",
            "validation": "valid",
        }
        for number in range(120)
    ]
    broken = rows[0] | {"sql_prompt": "broken", "sql": "SELECT nothing FROM nowhere"}
    write_rows(folder / "rows.jsonl", [*rows, broken])
    (folder / "templates").mkdir(exist_ok=True)
    for name, text in {"system": "$style", "style-free": "SQL.", "user": "$context $question"}.items():
        (folder / "templates" / f"{name}.md").write_text(text)
    settings = {"max_prompt_length": 200, "max_seq_length": 400, "judge": {"variants": 2}, "train": TRAIN | train}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder


def run_here(folder: Path, monkeypatch: pytest.MonkeyPatch, **flags: Any) -> dict[str, Any]:
    """The run of a folder, in this process."""
    monkeypatch.chdir(folder)
    settings, _ = load({f"train.{k}": v for k, v in flags.items()}, environ={}, folder=folder)
    return train(settings, Secrets()).summary


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = prepared(tmp_path_factory.mktemp("unbroken"))
    with pytest.MonkeyPatch.context() as patch:
        summary = run_here(folder, patch)
    return SimpleNamespace(folder=folder / "out", summary=summary)


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a file without what time alone changes, and without SFT's token count, which TRL starts anew."""
    return [
        {k: v for k, v in line.items() if "seconds" not in k and k not in ("step_time", "num_tokens")}
        for line in Lines(folder / name).read()
    ]


def weights(folder: Path) -> bytes:
    (file,) = folder.glob("*model.safetensors")
    return file.read_bytes()


def reached(folder: Path, stage: str, step: int) -> None:
    """Waits until the run has told of that step."""

    def told() -> bool:
        return any(m["stage"] == stage and m["step"] >= step for m in Lines(folder / "metrics.jsonl").read())

    wait_until(told, 900)


def test_both_stages_and_what_they_leave(unbroken):
    summary, metrics = unbroken.summary, Lines(unbroken.folder / "metrics.jsonl").read()
    assert (summary["status"], summary["stages"]) == ("finished", ["sft", "grpo"])
    assert summary["rows"]["left_out"] == {"gold broken": 1}
    assert summary["rows"]["watch"] == 8
    assert [summary["evaluations"][name]["rows"] for name in ("sft", "grpo")] == [16, 16]
    assert summary["differences"][0]["from"] == "sft"
    assert summary["exported"]["verified"]["prompts"] == 16
    steps = [m for m in metrics if m["stage"] == "grpo" and "reward" in m]
    assert [m["step"] for m in steps] == list(range(1, 13))
    assert [m["step"] for m in metrics if m["stage"] == "grpo" and "eval/ex" in m] == [0, 4, 8, 12]
    for m in steps:
        assert {"reward", "rewards/execution/mean", "rewards/format/mean", "completions/mean_length"} < m.keys()
        assert sum(v for k, v in m.items() if k.startswith("verdicts/")) == pytest.approx(1, abs=1e-4)
        assert 0 < m["seconds/rewards"] < m["seconds/step"]
    sampled = Lines(unbroken.folder / "samples.jsonl").read()
    assert {s["step"] for s in sampled} == set(range(1, 13))
    assert {"question", "text", "verdict", "rewards"} < sampled[0].keys()
    assert not list(unbroken.folder.glob("*/checkpoint-*"))


def test_the_reward_rises(unbroken):
    rewards = [m["reward"] for m in Lines(unbroken.folder / "metrics.jsonl").read() if "reward" in m]
    assert sum(rewards[-4:]) > sum(rewards[:4]) + 0.6  # 0.15 a step


def test_the_export_loads_in_plain_transformers(unbroken):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(unbroken.folder / "merged")
    tokenizer = AutoTokenizer.from_pretrained(unbroken.folder / "merged")
    asked = [
        {"role": "system", "content": "SQL."},
        {"role": "user", "content": f"{CONTEXT}, (15, 'Jena') count shops 5"},
    ]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    text = tokenizer.decode(model.generate(**ids, max_new_tokens=32, do_sample=False)[0])
    assert "</think>" in text
    assert "FROM shop" in text


def test_a_finished_run_is_not_run_again(unbroken, monkeypatch):
    before = weights(unbroken.folder / "model")
    assert run_here(unbroken.folder.parent, monkeypatch)["seconds"] == unbroken.summary["seconds"]
    assert weights(unbroken.folder / "model") == before


def test_a_full_disk_while_exporting_is_one_line_and_nothing_but_the_result_goes_to_stdout(
    unbroken, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "full"
    shutil.copytree(unbroken.folder.parent, folder)
    (folder / "out" / "run.json").unlink()
    real = students.open_student
    monkeypatch.setattr(students, "open_student", lambda *given: print("a library's banner") or real(*given))
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, largest[1]))
    try:
        with pytest.raises(SqlRlError, match="the disk is full"):
            run_here(folder, monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    assert weights(folder / "out" / "model") == weights(unbroken.folder / "model")  # the one before is still there
    said = capsys.readouterr()
    assert (said.out, "a library's banner" in said.err) == ("", True)


def test_starting_anew_with_a_dataset_that_is_no_good_loses_nothing(unbroken, monkeypatch):
    for source in ("nowhere.jsonl", "broken.jsonl"):
        write_rows(
            unbroken.folder.parent / "broken.jsonl", [{"sql_prompt": "?", "sql_context": CONTEXT, "sql": "SELEC"}]
        )
        with pytest.raises(UsageError):
            run_here(unbroken.folder.parent, monkeypatch, resume=False, dataset_repo_id=source)
    assert {"model", "merged", "sft", "grpo", "run.json"} <= {path.name for path in unbroken.folder.iterdir()}


def test_a_checkpoint_of_other_settings_is_refused(unbroken, monkeypatch):
    with pytest.raises(UsageError, match=r"grpo_learning_rate was 0.0005, now it is 0.01.*--no-resume"):
        run_here(unbroken.folder.parent, monkeypatch, grpo_learning_rate=0.01)


def test_a_run_that_is_interrupted_ends_as_the_unbroken_one(
    unbroken, tmp_path, command, clean_environ, monkeypatch: pytest.MonkeyPatch
):
    folder = prepared(tmp_path / "broken")

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command("train"), cwd=folder, env=clean_environ, stdout=pipe, stderr=pipe, text=True)

    process = start()
    reached(folder / "out", "sft", 6)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=900)
    assert process.returncode == 3, said
    step = re.search(r"stopped by SIGTERM at step (\d+) of sft", said).group(1)
    stopped = folder / "out" / "sft" / f"checkpoint-{step}"
    assert (stopped / "state.json").exists()

    # In this process: to start the program takes longer than to get to the next checkpoint.
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, largest[1]))
    try:
        with pytest.raises(SqlRlError, match="the disk is full") as full:
            run_here(folder, monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    assert type(full.value) is SqlRlError, "exit code 1"
    assert (stopped / "state.json").exists()

    process = start()
    try:
        reached(folder / "out", "grpo", 6)
    finally:
        process.kill()
    process.communicate(timeout=60)
    assert (folder / "out" / "grpo" / "checkpoint-4" / "state.json").exists()

    summary = run_here(folder, monkeypatch)
    assert summary["evaluations"]["grpo"]["ex"] == unbroken.summary["evaluations"]["grpo"]["ex"]
    assert lines(folder / "out", "samples.jsonl") == lines(unbroken.folder, "samples.jsonl")
    assert lines(folder / "out", "metrics.jsonl") == lines(unbroken.folder, "metrics.jsonl")
    assert weights(folder / "out" / "model") == weights(unbroken.folder / "model")


def test_an_adapter_with_its_reference_is_carried_on_as_it_was(unbroken, tmp_path, monkeypatch):
    """Where there is a KL term, a checkpoint holds two adapters: the trained one and the one it began with."""
    settings = {"model": str(unbroken.folder / "merged"), "stage": "grpo", "beta": 0.1, "grpo_learning_rate": 5e-3}
    settings |= {"grpo_max_steps": 4, "lora_rank": 4, "resample_groups": 0, "eval_rows": 0, "test_rows": 0}
    whole, broken = (prepared(tmp_path / name, **settings) for name in ("whole", "broken"))
    run_here(whole, monkeypatch)
    assert any(line.get("kl", 0) > 0 for line in lines(whole / "out", "metrics.jsonl"))

    begun = threading.Thread(target=lambda: (reached(broken / "out", "grpo", 2), os.kill(os.getpid(), signal.SIGTERM)))
    begun.start()
    with pytest.raises(StoppedEarlyError, match=r"at step [23] of grpo"):
        run_here(broken, monkeypatch)
    begun.join()
    run_here(broken, monkeypatch)
    assert lines(broken / "out", "samples.jsonl") == lines(whole / "out", "samples.jsonl")
    assert weights(broken / "out" / "adapter") == weights(whole / "out" / "adapter")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"dataset_repo_id": "plain.jsonl", "stage": "sft"}, "none of its 60 rows has accepted reasoning to imitate"),
        ({"dataset_repo_id": "nowhere.jsonl"}, "nowhere.jsonl: no such file or dataset"),
        ({"num_generations": 5}, "num_generations: 5 does not divide the 16 completions"),
        ({"model": "nowhere/"}, "nowhere"),
        ({"publish_repo_id": "me/model"}, "HF_TOKEN is missing: publishing me/model"),
    ],
)
def test_bad_input_is_one_line_before_any_step(tmp_path, monkeypatch, flags, said):
    folder = prepared(tmp_path)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()][:60]
    write_rows(folder / "plain.jsonl", [{k: v for k, v in r.items() if k != "generation"} for r in rows])
    with pytest.raises(UsageError, match=said) as refused:
        run_here(folder, monkeypatch, eval_rows=0, test_rows=0, audit=False, **flags)
    assert "\n" not in str(refused.value)
    assert not (folder / "out" / "metrics.jsonl").exists()
