"""Chat templates: what a tokenizer lacks is filled in and said, and how a prompt and a completion become text.

A prompt and its completion are rendered apart and joined by the trainer, so that no template can drop or rewrite the
reasoning (deepseek_r1, qwen3 and others do for whole conversations). `check_round_trip` proves on one example that
what is trained is what will be generated.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sql_rl.errors import UsageError
from sql_rl.prompts import Message, completion

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# For tokenizers without a template: headings that any vocabulary can spell, and the tokenizer's own end token.
HOUSE_TEMPLATE = """\
{{- bos_token or '' -}}
{%- for message in messages -%}
{{- '### ' + message['role'] | capitalize + ':\\n' + message['content'] -}}
{{- (eos_token or '') if message['role'] == 'assistant' else '' -}}
{{- '\\n\\n' if not loop.last or add_generation_prompt else '' -}}
{%- endfor -%}
{{- '### Assistant:\\n' if add_generation_prompt else '' -}}
"""
THINK = "<think>"
PROBE = (
    {"role": "system", "content": "You write SQL."},
    {"role": "user", "content": "Database:\nCREATE TABLE t (a INT)\n\nQuestion: How many rows are there?"},
)
_PROBE_ANSWER = completion("Count the rows of t.", "SELECT COUNT(*) FROM t")


def prepare(tokenizer: "PreTrainedTokenizerBase", name: str) -> tuple[str, ...]:
    """Gives a tokenizer what it lacks: a chat template, an end token that its template writes, a pad token.

    Returns a line for each thing that was chosen. Raises UsageError where there is nothing to choose from.
    """
    notes = []
    if not tokenizer.chat_template:
        tokenizer.chat_template = HOUSE_TEMPLATE
        notes.append(f"{name} has no chat template: prompts are written with plain headings (### System, User, …)")
    end = end_of_turn(tokenizer).strip()
    if end and end != tokenizer.eos_token and end in tokenizer.get_vocab():
        notes.append(f"{name} ends a turn with {end}, not with {tokenizer.eos_token}: that is what it is trained to do")
        tokenizer.eos_token = end
    if tokenizer.eos_token is None:
        raise UsageError(f"{name}: the tokenizer has no end token; set eos_token in its tokenizer_config.json")
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        chosen = _pad_token(tokenizer)
        if chosen != tokenizer.pad_token:
            notes.append(f"{name} has no pad token of its own: {chosen} is used")
            tokenizer.pad_token = chosen
    tokenizer.padding_side = "left"
    return tuple(notes)


def _pad_token(tokenizer: "PreTrainedTokenizerBase") -> str:
    """A token that is never trained: one named for it, the unknown token, at last the end token itself."""
    added = sorted(tokenizer.get_added_vocab(), key=lambda token: ("pad" not in token.lower(), token))
    for token in added:
        if "pad" in token.lower() or "reserved" in token.lower() or "unused" in token.lower():
            return token
    return tokenizer.unk_token or tokenizer.eos_token


def render_prompt(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> str:
    """A prompt as text, up to where the model writes; a template without system messages gets it in the user's."""
    from jinja2 import TemplateError

    def render(messages: Sequence[Message]) -> str:
        return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)

    try:
        return render(messages)
    except TemplateError:
        if messages[0]["role"] != "system" or len(messages) < 2:
            raise
        first = {"role": messages[1]["role"], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        return render([first, *messages[2:]])


def render_completion(tokenizer: "PreTrainedTokenizerBase", prompt: str, text: str) -> str:
    """What is trained to follow a rendered prompt: the text and the end token.

    Where the template has opened `<think>` in the prompt, the text does not open it again.
    """
    if prompt.rstrip().endswith(THINK):
        text = text.removeprefix(THINK).lstrip("\n") if prompt.endswith("\n") else text.removeprefix(THINK)
    return text + tokenizer.eos_token


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> str:
    """What the template writes behind an assistant's message: the end token, and often a line break."""
    answer = "the only answer"
    whole = tokenizer.apply_chat_template(
        [*PROBE[1:], {"role": "assistant", "content": answer}], tokenize=False, add_generation_prompt=False
    )
    return whole.rpartition(answer)[2]


def check_round_trip(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Proves on one example that a completion survives: prompt and completion, tokenized apart as in training, decode
    to the same text, the tags are in it, and it ends with the one token that generation stops at.

    Raises UsageError with what was found and the way out.
    """
    prompt = render_prompt(tokenizer, PROBE)
    text = render_completion(tokenizer, prompt, _PROBE_ANSWER)
    way_out = "take another model, or put a chat template of your own into its folder (chat_template.jinja)"
    for message in PROBE:
        if message["content"] not in prompt:
            raise UsageError(f"{name}: its chat template loses the {message['role']} message; {way_out}")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if ids[-1] != tokenizer.eos_token_id:
        raise UsageError(
            f"{name}: {tokenizer.eos_token!r} is not one token, so the model would never learn to stop; {way_out}"
        )
    read = tokenizer.decode(ids[:-1], skip_special_tokens=True)
    opened = THINK if prompt.rstrip().endswith(THINK) else ""
    if (opened + read).split() != _PROBE_ANSWER.split() and (opened + "\n" + read).split() != _PROBE_ANSWER.split():
        raise UsageError(
            f"{name}: an answer does not survive its tokenizer: {_PROBE_ANSWER!r} came back as {read!r}; {way_out}"
        )
