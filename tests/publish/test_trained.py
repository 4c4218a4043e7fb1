"""A trained student on the Hub: what plain transformers loads from there is what was trained, and the card says how."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from support import Run

from sql_rl.publish.curves import pictures
from sql_rl.settings import JudgeSettings, TrainSettings
from sql_rl.testing.hub_server import Fault, HubServer

METRICS = [
    *({"stage": "sft", "step": n, "loss": 3.0 / n} for n in range(1, 5)),
    *({"stage": "grpo", "step": n, "reward": 0.1 * n, "verdicts/match": 0.1 * n, "entropy": None} for n in range(1, 5)),
    {"stage": "grpo", "step": 4, "eval/ex": 0.5},
]
CI = [0.3, 0.5]
SECRET_URL = "http://gpu-7.example:8000"


def summary(folder: Path) -> dict:
    """run.json of `train`."""
    options = {"model": "micro", "dataset_repo_id": str(folder / "rows"), "vllm_server_base_url": SECRET_URL}
    train = dataclasses.asdict(TrainSettings(**options, test_rows=7))
    return {
        "command": "train",
        "status": "finished",
        "model": {"name": "micro", "backend": "micro", "kind": "full", "parameters": 9999, "trained_parameters": 9999},
        "source": {"title": "them/shops", "on_hub": True, "license": "mit"},
        "rows": {"learn": 50, "watch": 5, "test": 7, "left_out": {"no reasoning": 3}},
        "stages": ["sft", "grpo"],
        "evaluations": {s: {"ex": ex, "ci95": CI, "rows": 7} for s, ex in (("sft", 0.35), ("grpo", 0.5))},
        "differences": [{"from": "sft", "to": "grpo", "difference": 0.15, "ci95": [0.05, 0.25]}],
        "exported": {"trained": "adapter", "merged": "merged"},
        "settings": {
            "train": train,
            "judge": dataclasses.asdict(JudgeSettings()),
            "max_prompt_length": 512,
            "max_seq_length": 1024,
            "version": "0.1.0",
        },
        "seconds": 1.0,
    }


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run's folder with a real micro student in it."""
    from sql_rl.students import StudentSpec, open_student

    folder = tmp_path / "trained"
    student = open_student(StudentSpec(model="micro", max_seq_length=256), ["SELECT a FROM t", "How many?"] * 50)
    student.save_merged(folder / "merged")
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in METRICS))
    (folder / "run.json").write_text(json.dumps(summary(tmp_path)))
    return folder


LOAD = """
import hashlib, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
for place in sys.argv[1:]:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)
    weights = b"".join(w.float().numpy().tobytes() for _, w in sorted(model.state_dict().items()))
    print(hashlib.sha256(weights).hexdigest(), tokenizer("SELECT a FROM t").input_ids, bool(tokenizer.chat_template))
exec(sys.stdin.read())
"""


def test_from_the_run_to_the_hub_and_back(
    run: Run, hub: HubServer, hub_environ: dict[str, str], clean_environ: dict[str, str], trained: Path, tmp_path: Path
):
    hub.faults += [Fault("PUT /lfs/", 500), Fault("POST .*/commit/", 0, after=True)]
    ended = run("publish", trained, "--repo-id", "me/student", "--private-repo", **hub_environ)
    assert ended.returncode == 0, ended.stderr
    assert re.match(r"me/student: (\d+) of \1 files to send, \d\.\d MB\n", ended.stderr), "it may take long"
    repo = hub.repo("me/student", "model")
    assert [commit.title for commit in repo.commits][1:] == ["SFT and GRPO: EX sft 35.0 %, grpo 50.0 %"]
    card = ModelCard(repo.head.files["README.md"].decode())
    shown = card.text.partition("```python\n")[2].partition("```")[0]
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, "me/student", str(trained / "merged")], env=clean_environ | hub_environ,
        cwd=tmp_path, capture_output=True, text=True, timeout=180, check=True,
        input=shown.replace("max_new_tokens=1024", "max_new_tokens=4"),
    )  # fmt: skip
    from_hub, from_run, *written = loaded.stdout.splitlines()
    assert written, "what the card shows runs as it stands"
    assert from_hub == from_run
    assert from_hub.endswith("True")

    assert {"adapter/adapter_config.json", "metrics.jsonl", "run.json", "curves/ex.png"} <= set(repo.head.files)
    assert (card.data.datasets, card.data.license, card.data.base_model) == (["them/shops"], None, None)
    assert [(r.metric_value, r.dataset_type) for r in card.data.eval_results] == [(50.0, "them/shops")]
    for said in (
        "| grpo | 50.0 % | 30.0 to 50.0 |",
        "sft to grpo: +15.0 points, paired 95 % interval +5.0 to +25.0",
        "![GRPO: mean reward of the rollouts](curves/reward.png)",
        "SQL_RL_TRAIN_TEST_ROWS=7 uv run main.py train --model micro --dataset-repo-id them/shops",
        "left out, no reasoning: 3",
        'AutoModelForCausalLM.from_pretrained("me/student"',
    ):
        assert said in card.text
    for hidden in (str(tmp_path), SECRET_URL):
        assert hidden.encode() not in b"".join(repo.head.files.values())

    ended = run("publish", trained, "--repo-id", "me/student", "--json", **hub_environ)
    assert json.loads(ended.stdout)["changed"] is False
    assert ended.stderr == ""
    assert len(repo.commits) == 2


@pytest.mark.parametrize("lost", ["merged", "merged/model.safetensors", "metrics.jsonl", "exported"])
def test_what_is_lost_here_is_not_lost_there(
    run: Run, hub: HubServer, hub_environ: dict[str, str], trained: Path, lost: str
):
    asked = ("publish", trained, "--repo-id", "me/student")
    assert run(*asked, **hub_environ).returncode == 0
    head = hub.repo("me/student", "model").head
    if lost == "exported":
        content = json.loads((trained / "run.json").read_text())
        (trained / "run.json").write_text(json.dumps({name: v for name, v in content.items() if name != lost}))
    elif (trained / lost).is_dir():
        shutil.rmtree(trained / lost)
    else:
        (trained / lost).unlink()
    ended = run(*asked, **hub_environ)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert lost.partition("/")[0] in ended.stderr
    assert hub.repo("me/student", "model").head is head


def test_the_base_s_licence_is_the_model_s(trained: Path, hub: HubServer, secrets):
    from sql_rl.publish.access import check_write_access
    from sql_rl.publish.model import publish_model
    from sql_rl.publish.repository import Repository
    from sql_rl.runs.folder import RunFolder
    from sql_rl.testing.hub_store import Repo

    content = summary(trained.parent)
    content["model"] |= {"name": "them/base", "backend": "transformers", "kind": "lora"}
    content["settings"]["train"]["model"] = "them/base"
    (trained / "run.json").write_text(json.dumps(content))
    repository = Repository(check_write_access("student", "model", False, secrets), secrets)
    own = {"license": "other", "license_name": "own", "license_link": "https://them.example/LICENSE"}
    cases = (
        (None, {}, "Licence: unknown: see the base model and the dataset."),
        ({"license": "gemma"}, {"license": "gemma"}, "Licence: gemma."),
        ({"license": ["mit", "cc0-1.0"]}, {"license": ["mit", "cc0-1.0"]}, "Licence: mit, cc0-1.0."),
        (own, own, "Licence: [own](https://them.example/LICENSE)."),
        ({"tags": ["a"]}, {}, "Licence: unknown: see the base model and the dataset."),
    )
    for stated, inherited, said in cases:
        if stated is not None:
            base = hub.store.repos["model", "them/base"] = Repo(private=False)
            base.add("card", {"README.md": f"---\n{yaml.safe_dump(stated)}---\n# Base\n".encode()}, [], None)
        hub.store.repos["model", "me/student"] = Repo(private=False)  # what is on the card there would stay
        publish_model(RunFolder(trained), repository)
        card = hub.repo("me/student", "model").head.files["README.md"].decode()
        data = yaml.safe_load(card.split("---")[1])
        assert data["base_model"] == "them/base"
        assert {key: value for key, value in data.items() if key.startswith("license")} == inherited
        assert said in card


def test_curves_are_of_what_was_logged_and_the_same_each_time():
    drawn = pictures(METRICS)
    assert sorted(drawn) == [f"curves/{name}.png" for name in ("ex", "reward", "sft-loss", "verdicts")]
    assert drawn == pictures(METRICS)
    assert all(len(png) < 60_000 and png.startswith(b"\x89PNG") for _, png in drawn.values())
    assert pictures([]) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no run.json"), ({"command": "audit"}, "what `audit` left")],
)
def test_a_folder_without_such_a_run(run: Run, tmp_path: Path, content: dict | None, said: str):
    if content:
        (tmp_path / "run.json").write_text(json.dumps(content))
    ended = run("publish", ".")
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / ".lock").exists()
