"""Chat templates as models really have them: what is filled in, what is kept, what is refused."""

import copy

import pytest
from students.conftest import ANSWER, prompt

from sql_rl.errors import UsageError
from sql_rl.students import Student
from sql_rl.students.chat_template import check_round_trip, prepare, render_completion, render_prompt

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As Qwen3.5 and DeepSeek R1: the prompt opens the reasoning itself; R1 drops it from messages that went before.
OPENS_THINK = CHATML.replace("<|im_start|>assistant\n{% endif", "<|im_start|>assistant\n<think>\n{% endif").replace(
    "{{ m['content'] }}", "{{ m['content'].split('</think>')[-1] if m['role'] == 'assistant' else m['content'] }}"
)
# As Gemma 2 and Mistral 7B: no system message.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
LOSES_SYSTEM = CHATML.replace("{{ m['content'] }}", "{{ m['content'] if m['role'] != 'system' }}")
PROMPT = prompt("How many towns are there?")


@pytest.fixture
def tokenizer(student: Student):
    """A tokenizer with the tokens of ChatML beside its own, and no template."""
    tokenizer = copy.deepcopy(student.tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = None
    return tokenizer


@pytest.mark.parametrize("template", [CHATML, OPENS_THINK, NO_SYSTEM, None])
def test_what_is_trained_is_what_is_generated(tokenizer, template: str | None) -> None:
    tokenizer.chat_template = template
    prepare(tokenizer, "it")
    check_round_trip(tokenizer, "it")
    rendered = render_prompt(tokenizer, PROMPT)
    whole = rendered + render_completion(tokenizer, rendered, ANSWER)
    assert whole.endswith(ANSWER + tokenizer.eos_token)
    assert whole.count("<think>") == 1
    assert all(message["content"] in whole for message in PROMPT)


def test_reasoning_that_the_prompt_opens_is_not_opened_again(tokenizer) -> None:
    tokenizer.chat_template = OPENS_THINK
    prepare(tokenizer, "it")
    rendered = render_prompt(tokenizer, PROMPT)
    assert rendered.endswith("<think>\n")
    assert render_completion(tokenizer, rendered, ANSWER).startswith("Count the rows.\n</think>\n<sql>")


def test_house_template(tokenizer) -> None:
    notes = prepare(tokenizer, "it")
    assert "it has no chat template" in notes[0]
    assert render_prompt(tokenizer, PROMPT[1:]) == (
        f"{tokenizer.bos_token}### User:\n{PROMPT[1]['content']}\n\n### Assistant:\n"
    )
    whole = tokenizer.apply_chat_template([*PROMPT, {"role": "assistant", "content": ANSWER}], tokenize=False)
    rendered = render_prompt(tokenizer, PROMPT)
    assert whole == rendered + render_completion(tokenizer, rendered, ANSWER)


def test_the_end_of_a_turn_is_trained(tokenizer) -> None:
    tokenizer.chat_template = CHATML
    notes = prepare(tokenizer, "it")
    assert tokenizer.eos_token == "<|im_end|>"
    assert "<|im_end|>" in notes[0]
    assert prepare(tokenizer, "it") == ()


@pytest.mark.parametrize(
    ("pad", "added", "chosen"),
    [
        ("<|pad|>", [], "<|pad|>"),
        (None, ["<|vision_pad|>"], "<|vision_pad|>"),
        (None, ["<|reserved_special_token_7|>"], "<|reserved_special_token_7|>"),
        ("<|end|>", ["<unused9>"], "<unused9>"),
        (None, [], "<|end|>"),
    ],
)
def test_pad_token(pad: str | None, added: list[str], chosen: str) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"a": 0}, [])),
        eos_token="<|end|>",
        pad_token=pad,
        additional_special_tokens=added,
    )
    notes = prepare(tokenizer, "it")
    assert tokenizer.pad_token == chosen
    assert tokenizer.padding_side == "left"
    assert any("pad token" in note for note in notes) == (pad != chosen)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chat_template": LOSES_SYSTEM}, "loses the system message"),
        ({"eos_token": None}, "no end token"),
        ({"eos_token": "and so it ends"}, "is not one token"),
    ],
)
def test_refused(tokenizer, change: dict, said: str) -> None:
    for name, value in change.items():
        setattr(tokenizer, name, value)
    with pytest.raises(UsageError, match=said) as refusal:
        prepare(tokenizer, "it")
        check_round_trip(tokenizer, "it")
    assert "\n" not in str(refusal.value)


def test_a_tokenizer_that_cannot_write_the_answer(tokenizer) -> None:
    from tokenizers import normalizers

    prepare(tokenizer, "it")
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(UsageError, match="does not survive its tokenizer"):
        check_round_trip(tokenizer, "it")
