"""Prompts: an Example as the messages a model gets, and an Answer as the text it should have written.

Both directions of the tag contract live here and in `answers.py`: `<think>…</think>` then `<sql>…</sql>`.
"""

from functools import cache
from importlib import resources
from string import Template

from sql_rl.examples import Example

Message = dict[str, str]  # role and content, as chat APIs and TRL take it
CHARACTERS_PER_TOKEN = 4  # OpenAI's rule of thumb for English; SQL is a little denser


@cache
def _template(name: str) -> Template:
    return Template((resources.files("sql_rl") / "templates" / name).read_text(encoding="utf-8").strip())


def messages(example: Example) -> list[Message]:
    """The blind prompt (the gold is not in it): a system and a user message."""
    question = f"{example.question}\nHint: {example.evidence}" if example.evidence else example.question
    user = _template("user.md").substitute(context=example.context.strip(), question=question)
    return [{"role": "system", "content": _template("system.md").template}, {"role": "user", "content": user}]


def completion(reasoning: str, sql: str) -> str:
    """The text a model should write: the assistant's message of a distilled row."""
    return f"<think>\n{reasoning.strip()}\n</think>\n<sql>\n{sql.strip()}\n</sql>"


def estimated_tokens(prompt: list[Message]) -> int:
    """How many tokens a prompt has, where the model's tokenizer is not at hand; a few for each message's frame."""
    return sum(len(m["content"]) // CHARACTERS_PER_TOKEN + 4 for m in prompt)
