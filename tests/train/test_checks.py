"""What the start refuses when the student is there: real students, a real judge."""

import dataclasses
from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.examples import Example
from sql_rl.settings import JudgeSettings, TrainSettings
from sql_rl.students import Student, StudentSpec, open_student
from sql_rl.train.checks import check_adapter, check_beta, check_resampling, check_rewards
from sql_rl.train.data import Row
from sql_rl.train.jury import Jury

ROW = Row(
    Example(0, "0", "How many?", "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", "SELECT COUNT(*) FROM t"),
    ({"role": "user", "content": "How many?"},),
)


@pytest.fixture(scope="module")
def micro() -> Student:
    return open_student(StudentSpec(model="micro", seed=1), ["How many?", ROW.example.context, ROW.example.gold])


@pytest.fixture(scope="module")
def jury():
    with Jury(JudgeSettings(workers=1)) as found:
        yield found


@pytest.fixture(scope="module")
def folder(micro: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    micro.save_merged(path)
    return path


def test_rewards_have_to_tell_right_from_wrong(jury: Jury):
    check_rewards(TrainSettings(), ROW, jury)
    # Format is paid for what cannot run too; only no query at all goes without it.
    with pytest.raises(UsageError, match=r"right query is paid 0\.2, one that cannot run 0\.2, none 0: .*reward_match"):
        check_rewards(TrainSettings(reward_match=0.0, reward_lucky=0.0, format_weight=0.2), ROW, jury)


def test_a_row_whose_gold_is_broken_is_no_row_to_check_with(jury: Jury):
    broken = Row(Example(3, "3", "How many?", ROW.example.context, "SELECT b FROM t"), ROW.prompt)
    with pytest.raises(UsageError, match=r"row 3: its own query is judged gold_broken \(.*set train\.audit"):
        check_rewards(TrainSettings(), broken, jury)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "micro", "stage": "grpo"}, "TRL would load anew, and cannot for micro: take beta 0"),
        ({"model": "here", "full_finetuning": True}, "transformers would compare with the untrained model"),
    ],
)
def test_the_kl_term_has_to_have_its_reference(micro: Student, folder: Path, settings: dict, said: str):
    student = micro
    if settings["model"] == "here":
        settings = settings | {"model": str(folder)}
        student = open_student(StudentSpec(model=str(folder), full_finetuning=True))
    with pytest.raises(UsageError, match=said):
        check_beta(student, TrainSettings(beta=0.04, **settings))
    check_beta(student, TrainSettings(**settings))


def test_unsloths_generations_are_not_joined(micro: Student):
    theirs = dataclasses.replace(micro, backend="unsloth")
    with pytest.raises(UsageError, match=r"resample_groups: 2 joins generations, .* take 0"):
        check_resampling(theirs, TrainSettings(resample_groups=2))
    check_resampling(theirs, TrainSettings(resample_groups=2, stage="sft"))
    check_resampling(micro, TrainSettings(resample_groups=2))


def test_an_adapter_has_to_move_the_rollouts(folder: Path):
    student = open_student(StudentSpec(model=str(folder), lora_rank=2))
    before = {name: tensor.clone() for name, tensor in student.model.state_dict().items()}
    check_adapter(student, ROW)
    assert all((before[name] == tensor).all() for name, tensor in student.model.state_dict().items())
    for name, parameter in student.model.named_parameters():
        if "lora_A" in name:
            parameter.data.zero_()  # what is behind it reaches nothing
    with pytest.raises(UsageError, match="changes nothing in its rollouts"):
        check_adapter(student, ROW)
