"""The micro student: from texts alone to a model that learns."""

import pytest
from students.conftest import ANSWER, CORPUS, PROMPTS, make_micro

from sql_rl.errors import UsageError
from sql_rl.students import Student
from sql_rl.students.micro import TAGS, MicroSize, micro, train_tokenizer


@pytest.mark.parametrize(("name", "kind"), [("micro", "llama"), ("micro-llama", "llama"), ("micro-qwen2", "qwen2")])
def test_shapes(name: str, kind: str) -> None:
    student = make_micro(name)
    assert student.model.config.model_type == kind
    assert (student.backend, student.kind, student.fast_inference) == ("micro", "full", False)
    assert 1e6 < sum(p.numel() for p in student.model.parameters()) < 5e6


def test_same_seed_and_texts_same_student(student: Student) -> None:
    again, other = make_micro(), make_micro(seed=9)
    mine, same, different = (s.model.state_dict()["model.layers.0.mlp.up_proj.weight"] for s in (student, again, other))
    assert (mine == same).all()
    assert (mine != different).any()
    assert student.tokenizer.get_vocab() == again.tokenizer.get_vocab()


@pytest.mark.parametrize("text", [ANSWER, "Größe ≥ 5 €, '表'\t\n\n  x", "SELECT 1234.5 FROM t -- 😀", ""])
def test_any_text_has_tokens(student: Student, text: str) -> None:
    assert student.tokenizer.decode(student.tokenizer(text)["input_ids"]) == text


def test_tags_and_digits_are_tokens_of_their_own(student: Student) -> None:
    assert [student.tokenizer.tokenize(tag) for tag in TAGS] == [[tag] for tag in TAGS]
    assert student.tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    assert len({student.tokenizer.pad_token_id, student.tokenizer.eos_token_id, student.tokenizer.bos_token_id}) == 3


def test_vocabulary_is_bounded() -> None:
    texts = [f"word{'abcdefghij'[i % 10]}{chr(97 + i % 26)} {i}" for i in range(3000)]
    assert len(train_tokenizer(texts, 300)) <= 300


@pytest.mark.parametrize(
    ("name", "corpus", "said"),
    [("micro-gpt2", CORPUS, "there are micro"), ("micro", [], "no text"), ("micro", [""], "no text")],
)
def test_bad_input(name: str, corpus: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        micro(name, corpus, 0, MicroSize(layers=1))


def test_it_learns_and_stops(trained: Student) -> None:
    for generation in trained.generate(PROMPTS[:5], 60):
        assert (generation.text, generation.finish_reason) == (ANSWER, "stop")
