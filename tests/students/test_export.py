"""What a student leaves: adapter and merged weights are the same model, and anyone can load them."""

import dataclasses
import json
from pathlib import Path

import pytest
from students.conftest import ANSWER, PROMPTS, learn

from sql_rl.errors import SqlRlError
from sql_rl.prompts import completion
from sql_rl.students import Student, StudentSpec, open_student
from sql_rl.students.export import verify
from sql_rl.students.inference import LocalModel

OTHER_ANSWER = completion("Add up the numbers.", "SELECT SUM(id) FROM towns")


@pytest.fixture(scope="module")
def adapted(folder: Path) -> Student:
    """A student with an adapter that has learned to say something else than its base, and is sure of it."""
    student = open_student(StudentSpec(model=str(folder), lora_rank=4))
    learn(student, OTHER_ANSWER, steps=80, learning_rate=5e-3)
    return student


@pytest.fixture(scope="module")
def exported(adapted: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    adapted.save(folder / "adapter")
    adapted.save_merged(folder / "merged")
    return folder


def test_merged_weights_are_the_student(adapted: Student, exported: Path) -> None:
    found = verify(adapted, exported / "merged", PROMPTS, 16)
    assert (found.prompts, found.skipped) == (len(PROMPTS), "")
    assert found.identical == len(PROMPTS)
    assert found.gap < 0.02


def test_a_process_of_its_own_finds_the_same(adapted: Student, exported: Path) -> None:
    """Where Unsloth is, whose import changes transformers' classes."""
    here = verify(adapted, exported / "merged", PROMPTS[:3], 8)
    assert verify(dataclasses.replace(adapted, backend="unsloth"), exported / "merged", PROMPTS[:3], 8) == here


def test_other_weights_are_not(adapted: Student, folder: Path) -> None:
    with pytest.raises(SqlRlError, match=r"not the model that was trained: log-probabilities differ by \d"):
        verify(adapted, folder, PROMPTS, 16)


def test_plain_transformers_loads_them(exported: Path, adapted: Student) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, loading = AutoModelForCausalLM.from_pretrained(exported / "merged", output_loading_info=True)
    assert model.dtype == torch.bfloat16
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(exported / "merged")
    assert tokenizer.chat_template == adapted.tokenizer.chat_template
    assert json.loads((exported / "merged" / "config.json").read_text())["dtype"] == "bfloat16"


def test_saving_does_not_touch_what_is_trained(adapted: Student, exported: Path, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in adapted.model.state_dict().items()}
    adapted.save_merged(tmp_path)
    after = adapted.model.state_dict()
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)


def test_a_micro_student(trained: Student, tmp_path: Path) -> None:
    trained.save_merged(tmp_path / "merged")
    trained.save(tmp_path / "model")
    assert verify(trained, tmp_path / "model", PROMPTS, 16).gap < 1e-5
    assert verify(trained, tmp_path / "merged", PROMPTS, 16).gap < 0.02
    weights = [(tmp_path / part / "model.safetensors").stat().st_size for part in ("model", "merged")]
    assert 1.9 < weights[0] / weights[1] < 2.1


def test_local_model_opens_all_of_it(exported: Path, adapted: Student, folder: Path) -> None:
    answers = adapted.generate(PROMPTS, 16)
    assert LocalModel(str(exported / "adapter")).generate(PROMPTS, 16) == answers
    assert LocalModel(str(exported)).name == str(exported)  # its merged weights
    assert LocalModel(str(folder)).generate(PROMPTS[:1], 60)[0].text == ANSWER
