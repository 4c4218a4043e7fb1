"""The command line: quick help, no heavy import, exit codes, defaults that are those of the settings."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from sql_rl.cli import app
from sql_rl.settings import Settings

ROOT = Path(__file__).parent.parent

HEAVY = {
    "torch", "transformers", "datasets", "trl", "unsloth", "vllm", "ray", "pyarrow", "pandas", "numpy", "sqlglot",
    "openai", "groq", "huggingface_hub", "aiohttp", "pydantic", "apsw", "yaml", "rich",
}  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["distill", "--help"],
        ["audit", "--help"],
        ["train", "--help"],
        ["evaluate", "--help"],
        ["chat", "--help"],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str]):
    program = (
        "import sys\nfrom sql_rl.cli import app\n"
        f"try: app({arguments!r})\nexcept SystemExit: pass\n"
        "print('\\n' + ' '.join(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert "Usage:" in output
    assert not HEAVY & set(output.splitlines()[-1].split())
    assert "typer" in output.splitlines()[-1].split()


def test_every_command_has_an_example_and_every_option_a_help():
    for name, command in get_command(app).commands.items():
        assert f"uv run main.py {name}" in command.epilog
        assert all(p.help for p in command.params), name


@pytest.mark.parametrize("section", ["distill", "audit", "train", "chat"])
def test_defaults_are_those_of_the_settings(section: str):
    settings, shown = Settings(), {p.name: p.default for p in get_command(app).commands[section].params}
    own = getattr(settings, section)
    compared = 0
    for name, default in shown.items():
        holder = own if hasattr(own, name) else settings
        if hasattr(holder, name):
            assert default == getattr(holder, name), name
            compared += 1
    assert compared >= 4, "the names of options and settings have parted"


def test_the_options_of_distill_and_their_defaults():
    """The mission's table."""
    shown = {p.opts[0]: p.default for p in get_command(app).commands["distill"].params}
    assert (
        shown
        | {
            "--model": "gpt-4.1-nano",
            "--dataset-repo-id": "gretelai/synthetic_text_to_sql",
            "--limit": 100,
            "--provider": "openai",
            "--batch-size": 8,
            "--validate": False,
            "--remove-no-valid": False,
            "--publish": False,
            "--publish-repo-id": None,
            "--private-repo": False,
            "--retries": 3,
            "--use-ray": False,
            "--base-url": None,
            "--split": "train",
            "--output-dir": None,
            "--resume": True,
            "--seed": None,
            "--dry-run": False,
            "--config": None,
        }
        == shown
    )


SAMPLE = ("distill", "--provider", "offline", "--dataset-repo-id", "sample")
WRONG = {
    "no such option": (("distill", "--limt", "1"), 2, "No such option: --limt"),
    "limit 0": ((*SAMPLE, "--limit", "0"), 2, "--limit: 0 is not allowed"),
    "limit negative": ((*SAMPLE, "--limit", "-3"), 2, "--limit: -3 is not allowed"),
    "no such provider": (("distill", "--provider", "opnai"), 2, "did you mean openai?"),
    "removal without validation": ((*SAMPLE, "--remove-no-valid"), 2, "--remove-no-valid needs --validate"),
    "no such file": (
        ("distill", "--provider", "offline", "--dataset-repo-id", "nowhere.jsonl"),
        2,
        "nowhere.jsonl: no such file",
    ),
    "no such split": ((*SAMPLE, "--split", "test"), 2, "no split 'test'"),
    "Hub out of reach": (
        ("distill", "--provider", "offline", "--dataset-repo-id", "no/where"),
        1,
        "the Hub cannot be reached",
    ),
    "missing key": (("distill", "--dataset-repo-id", "sample"), 2, "API_KEY is missing"),
    "no URL": (("distill", "--dataset-repo-id", "sample", "--base-url", "localhost:8000"), 2, "must be an http"),
    "key in the URL": (("distill", "--dataset-repo-id", "sample", "--base-url", "http://u:s3cret@h/v1"), 2, "API_KEY"),
    "Ray and batches": ((*SAMPLE, "--use-ray", "--batch-api"), 2, "--use-ray and --batch-api"),
    "limits of single requests and batches": (
        ("distill", "--batch-api", "--rpm", 9, "--base-url", "http://h/v1", "--dataset-repo-id", "sample"),
        2,
        "--batch-api makes none",
    ),
    "a tier without a price": (
        (*SAMPLE[:1], "--max-cost", 1, "--service-tier", "priority", "--dataset-repo-id", "sample"),
        2,
        "in the tier priority is not known",
    ),
    "more workers than slots": ((*SAMPLE, "--use-ray", "--ray-workers", 9), 2, "more than --batch-size 8"),
    "publishing": ((*SAMPLE, "--publish"), 2, "HF_TOKEN is missing"),
    "Groq": (("distill", "--provider", "groq", "--dataset-repo-id", "sample"), 2, "API_KEY is missing"),
    "HuggingFace": (("distill", "--provider", "HuggingFace", "--dataset-repo-id", "sample"), 2, "HF_TOKEN is missing"),
    "groups that do not fit": (("train", "--batch-size", "3"), 2, "8 does not divide the 12 completions"),
    "no config": ((*SAMPLE, "--config", "no.yaml"), 2, "no.yaml: cannot be read"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_is_one_line_and_an_exit_code(run_here, arguments: tuple[str, ...], code: int, said: str):
    ended = run_here(*arguments)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr
    assert ended.stderr.splitlines()[-1].lower().startswith("error: ")


def test_settings_are_checked_before_anything_else_happens(run, tmp_path):
    (tmp_path / "config.yaml").write_text("temprature: 1\n")
    ended = run(*SAMPLE)
    assert ended.returncode == 2
    assert "config.yaml: temprature: no such key; did you mean temperature?" in ended.stderr
    assert not (tmp_path / "outputs").exists()
