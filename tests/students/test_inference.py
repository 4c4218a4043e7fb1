"""Local models for `evaluate` and `chat`: streaming, closing in the middle, and what they refuse."""

import threading
from pathlib import Path

import pytest
from students.conftest import ANSWER, PROMPTS, make_micro, prompt

from sql_rl.errors import UsageError
from sql_rl.students.inference import LocalModel


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(str(folder))


def writers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "local-model"]


def test_the_stream_is_what_is_generated(model: LocalModel) -> None:
    pieces = list(model.stream(PROMPTS[0], 60))
    assert len(pieces) > 3
    assert "".join(pieces) == ANSWER == model.generate(PROMPTS[:1], 60)[0].text
    sampled = "".join(model.stream(PROMPTS[0], 20, 1.5, seed=4))
    assert sampled == model.generate(PROMPTS[:1], 20, 1.5, seed=4)[0].text


def test_closed_in_the_middle(model: LocalModel) -> None:
    stream = model.stream(PROMPTS[0], 60)
    assert next(stream)
    assert writers()
    stream.close()
    assert not writers()


def test_failures_reach_the_reader(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(model.model, "generate", full)
    with pytest.raises(MemoryError, match="no more"):
        list(model.stream(PROMPTS[0], 5))
    assert not writers()


def test_a_prompt_over_the_context(model: LocalModel) -> None:
    with pytest.raises(UsageError, match=rf"takes {model.context} with the answer"):
        list(model.stream(prompt("towns 1 " * 3000), 5))


def test_micro_knows_nothing_yet() -> None:
    with pytest.raises(UsageError, match="give the folder that `train --model micro` left"):
        LocalModel("micro")


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        LocalModel(str(tmp_path / "nothing"))


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    student = make_micro("micro-qwen2")
    student.save(tmp_path)
    student.tokenizer.add_tokens(["INT)"])
    student.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="do not belong together"):
        LocalModel(str(tmp_path))
