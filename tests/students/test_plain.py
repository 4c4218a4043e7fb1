"""Students of plain transformers: what is trained, what is refused, what is said."""

import json
import shutil
from pathlib import Path

import pytest
from students.conftest import CORPUS, PROMPTS

from sql_rl.errors import UsageError
from sql_rl.students import Student, StudentSpec, open_student


def trainable(student: Student) -> set[str]:
    return {name for name, parameter in student.model.named_parameters() if parameter.requires_grad}


@pytest.fixture
def cpu() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this is about machines without a CUDA GPU")


def test_lora(folder: Path, trained: Student, cpu: None) -> None:
    student = open_student(
        StudentSpec(model=str(folder), lora_rank=4, lora_targets=("q_proj", "v_proj"), load_in_4bit=True)
    )
    assert (student.backend, student.kind, student.name) == ("transformers", "lora", str(folder))
    assert student.notes == (
        f"no CUDA GPU: {folder} is trained by plain transformers on the CPU (LoRA, weights in 32 bits)",
    )
    assert len(trainable(student)) == 2 * 2 * student.model.config.num_hidden_layers
    assert all("lora_" in name for name in trainable(student))
    assert student.generate(PROMPTS[:2], 20) == trained.generate(PROMPTS[:2], 20)  # a new adapter changes nothing
    assert student.trainer_arguments() == {"use_cpu": True, "bf16": False, "fp16": False}


@pytest.mark.parametrize("model", ["micro", None])
def test_a_backend_that_is_asked_for_and_is_not_there(model: str | None, folder: Path, cpu: None) -> None:
    name = model or str(folder)
    with pytest.raises(
        UsageError, match=f"train.backend: Unsloth cannot train {name} here .no CUDA GPU.: leave it at auto"
    ):
        open_student(StudentSpec(model=name, backend="unsloth"), CORPUS)


def test_transformers_for_those_who_ask(folder: Path) -> None:
    student = open_student(StudentSpec(model=str(folder), backend="transformers", lora_rank=2))
    assert student.backend == "transformers"
    assert student.notes[0].startswith(f"train.backend says so: {folder} is trained by plain transformers")


def test_new_adapters_are_drawn_from_the_seed(folder: Path) -> None:
    def drawn(seed: int) -> list[float]:
        student = open_student(StudentSpec(model=str(folder), seed=seed, lora_rank=2, lora_targets=("q_proj",)))
        return next(p for n, p in student.model.named_parameters() if "lora_A" in n).flatten().tolist()

    assert drawn(1) == drawn(1) != drawn(2)


def test_full(folder: Path, cpu: None) -> None:
    student = open_student(StudentSpec(model=str(folder), full_finetuning=True))
    assert student.kind == "full"
    assert trainable(student) == {name for name, _ in student.model.named_parameters()}
    assert "all weights, weights in 32 bits" in student.notes[0]


def test_a_trained_adapter_is_trained_on(folder: Path, tmp_path: Path) -> None:
    import torch

    first = open_student(StudentSpec(model=str(folder), lora_rank=2))
    with torch.no_grad():
        for name, parameter in first.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05)
    first.save(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == str(folder)
    answers = first.generate(PROMPTS[:3], 12)
    second = open_student(StudentSpec(model=str(tmp_path)))
    assert trainable(second) == trainable(first)
    assert second.generate(PROMPTS[:3], 12) == answers
    merged = open_student(StudentSpec(model=str(tmp_path), full_finetuning=True))
    assert merged.kind == "full"
    assert merged.generate(PROMPTS[:3], 12) == answers


def test_no_such_modules(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"lora_targets: .* no module named c_attn; its linear modules are down_proj"):
        open_student(StudentSpec(model=str(folder), lora_targets=("c_attn",)))


def test_too_large_for_the_memory(folder: Path, tmp_path: Path, cpu: None) -> None:
    huge = shutil.copytree(folder, tmp_path / "huge")
    config = json.loads((huge / "config.json").read_text())
    config |= {"hidden_size": 16384, "intermediate_size": 65536, "num_hidden_layers": 120, "num_attention_heads": 128}
    (huge / "config.json").write_text(json.dumps(config | {"num_key_value_heads": 128, "head_dim": 128}))
    with pytest.raises(
        UsageError, match=r"515\.\d\d billion parameters and needs at least 206\d\.\d GB .* GB are free"
    ):
        open_student(StudentSpec(model=str(huge)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "4-bit weights that need a CUDA GPU"),
        ({"model_type": "no_such_architecture"}, "no_such_architecture"),
    ],
)
def test_configs_that_do_not_run_here(folder: Path, tmp_path: Path, cpu: None, change: dict, said: str) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UsageError, match=said) as refusal:
        open_student(StudentSpec(model=str(other)))
    assert "\n" not in str(refusal.value)


def test_four_bit_weights_by_their_name(cpu: None) -> None:
    with pytest.raises(UsageError, match=r"need a CUDA GPU .*; unsloth/Phi-4 would run on the CPU if it fits"):
        open_student(StudentSpec(model="unsloth/Phi-4-bnb-4bit"))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("tokenizer.json", "{}", "no tokenizer can be loaded"),
        ("model.safetensors", "nonsense", "transformers cannot load it"),
    ],
)
def test_broken_files(folder: Path, tmp_path: Path, file: str, content: str, said: str) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    (other / file).write_text(content)
    with pytest.raises(UsageError, match=said) as refusal:
        open_student(StudentSpec(model=str(other)))
    assert "\n" not in str(refusal.value)


def test_an_adapter_of_another_model(folder: Path, tmp_path: Path) -> None:
    from sql_rl.students.micro import MicroSize, micro

    open_student(StudentSpec(model=str(folder), lora_rank=2)).save(tmp_path / "adapter")
    model, tokenizer = micro("micro", CORPUS, 0, MicroSize(hidden=64, heads=2, layers=1))
    model.save_pretrained(tmp_path / "small")
    tokenizer.save_pretrained(tmp_path / "small")
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(config.read_text().replace(str(folder), str(tmp_path / "small")))
    with pytest.raises(UsageError, match="does not load on its base"):
        open_student(StudentSpec(model=str(tmp_path / "adapter")))


@pytest.mark.gpu
def test_unsloth(folder: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("Unsloth needs a CUDA GPU")
    student = open_student(StudentSpec(model=str(folder), lora_rank=4))
    assert (student.backend, student.kind) == ("unsloth", "lora")
    assert all("lora_" in name for name in trainable(student))
    assert [g.prompt_tokens > 0 for g in student.generate(PROMPTS[:2], 8)] == [True, True]
