"""Generation: the same completion in any batch, in the order asked, ended where it should."""

import pytest
from students.conftest import ANSWER, PROMPTS, prompt

from sql_rl.errors import UsageError
from sql_rl.students import Student
from sql_rl.students.generation import gumbel_noise


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_independent_of_the_batch(student: Student, temperature: float, batch_size: int) -> None:
    whole = student.generate(PROMPTS, 12, temperature, seed=5)
    assert student.generate(PROMPTS, 12, temperature, seed=5, batch_size=batch_size) == whole
    alone = student.generate(PROMPTS[4:5], 12, temperature, seed=5 + 4)
    assert alone == whole[4:5]


def test_order_is_the_askers(student: Student) -> None:
    tokens = [len(student.tokenizer.apply_chat_template(p, add_generation_prompt=True)["input_ids"]) for p in PROMPTS]
    assert [g.prompt_tokens for g in student.generate(PROMPTS, 1, batch_size=4)] == tokens


def test_seeds(student: Student) -> None:
    same = [PROMPTS[0]] * 3
    one, two, three = student.generate(same, 16, 1.0, seed=[7, 7, 8])
    assert one == two != three
    assert student.generate(same, 16, 1.0, seed=7)[0] == one


def test_noise_draws_from_the_softmax() -> None:
    import torch

    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).repeat(4000, 1)
    drawn = gumbel_noise(1.0, range(4000), logits.device)(logits, logits).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / 4000
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.03)
    cold = gumbel_noise(0.1, range(4000), logits.device)(logits, logits).argmax(-1)
    assert (cold == 0).float().mean() > 0.98


def test_why_it_ended(trained: Student) -> None:
    whole, cut = trained.generate(PROMPTS[:1], 60)[0], trained.generate(PROMPTS[:1], 4)[0]
    assert (whole.text, whole.finish_reason) == (ANSWER, "stop")
    assert whole.completion_tokens == len(trained.tokenizer(ANSWER)["input_ids"])
    assert (cut.completion_tokens, cut.finish_reason) == (4, "length")
    assert ANSWER.startswith(cut.text)


def test_context(student: Student) -> None:
    long = prompt("towns 1 " * 3000)
    ended, well = student.generate([long, PROMPTS[0]], 3)
    assert (ended.text, ended.finish_reason) == ("", "context")
    assert ended.prompt_tokens > student.model.config.max_position_embeddings
    assert well == student.generate(PROMPTS[:1], 3)[0]


def test_who_has_little_room_takes_none_from_the_neighbours(student: Student) -> None:
    context = student.model.config.max_position_embeddings

    def tokens(messages: list) -> int:
        return student.generate([messages], 1)[0].prompt_tokens

    one, two = (tokens(prompt("a " * n)) for n in (100, 101))
    tight = prompt("a " * (100 + (context - one - 2) // (two - one)))
    room = context - tokens(tight)
    assert 0 < room < 12
    first, last = student.generate([tight, PROMPTS[0]], 12)
    assert first.completion_tokens <= room
    assert last == student.generate(PROMPTS[:1], 12)[0]
    assert last.completion_tokens > room


def test_the_trainers_state_is_left_alone(student: Student) -> None:
    import torch

    student.model.train()
    student.model.config.use_cache = False
    state = torch.get_rng_state()
    student.generate(PROMPTS[:2], 2, 0.5)
    assert student.model.training
    assert student.model.config.use_cache is False
    assert (torch.get_rng_state() == state).all()


def test_a_model_with_a_way_of_its_own_back_to_training_goes_it(student: Student, monkeypatch) -> None:
    """Unsloth's models: `for_training` switches gradient checkpointing on again, which generating switched off."""
    gone = []
    monkeypatch.setattr(student.model, "for_training", lambda: gone.append(student.model.train()), raising=False)
    for training in (True, False):
        student.model.train(training)
        student.generate(PROMPTS[:1], 1)
        assert student.model.training is training
    assert len(gone) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"temperature": -1.0}, "temperature -1.0"),
        ({"seed": [1]}, "1 seeds for 11 prompts"),
    ],
)
def test_bad_arguments(student: Student, arguments: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        student.generate(PROMPTS, **({"max_tokens": 2} | arguments))


def test_nothing_asked(student: Student) -> None:
    assert student.generate([], 5) == []
