"""Prompts: what a model is sent for an example, from templates that a user can replace, and the form of its answer.

The templates are text files with `$name` places: system.md ($style), user.md ($context, $question), repair.md
($problem), hint.md ($gold), style-free.md and style-query-plan.md. `answers.py` reads what comes back.
"""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from sql_rl.errors import UsageError
from sql_rl.examples import Example

Message = dict[str, str]  # role and content, as chat APIs and TRL take it
CHARACTERS_PER_TOKEN = 4  # OpenAI's rule of thumb for English; SQL is a little denser
PLACES = {
    "system.md": {"style"},
    "user.md": {"context", "question"},
    "repair.md": {"problem"},
    "hint.md": {"gold"},
    "style-free.md": set(),
    "style-query-plan.md": set(),
}


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates of a run, filled with an example. digest: changes when a template does."""

    system: str
    user: Template
    repairing: Template
    hint: Template
    digest: str

    def draft(self, example: Example) -> list[Message]:
        """The blind prompt (the gold is not in it): a system and a user message."""
        question = f"{example.question}\nHint: {example.evidence}" if example.evidence else example.question
        user = self.user.substitute(context=example.context.strip(), question=question)
        return [{"role": "system", "content": self.system}, {"role": "user", "content": user}]

    def hinted(self, example: Example) -> list[Message]:
        """The blind prompt with the gold below it, and the wish to reason as if it were not there."""
        system, user = self.draft(example)
        hint = self.hint.substitute(gold=example.gold.strip())
        return [system, {"role": "user", "content": f"{user['content']}\n\n{hint}"}]

    def repair(self, asked: list[Message], text: str, problem: str) -> list[Message]:
        """What was asked, the answer that was no good, and what is wrong with it."""
        wish = self.repairing.substitute(problem=problem)
        return [*asked, {"role": "assistant", "content": text}, {"role": "user", "content": wish}]


def load_prompts(style: str = "free", folder: Path | None = None) -> Prompts:
    """The bundled templates; those that `folder` has in their place. style: 'free' or 'query-plan'.

    Raises UsageError for a folder that is none, a file that is not a template, or places it lacks or invents.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"templates: {folder} is not a folder")
    texts = {name: _text(name, folder) for name in PLACES}
    return Prompts(
        system=Template(texts["system.md"]).substitute(style=texts[f"style-{style}.md"]),
        user=Template(texts["user.md"]),
        repairing=Template(texts["repair.md"]),
        hint=Template(texts["hint.md"]),
        digest=hashlib.sha256("\0".join((style, *texts.values())).encode()).hexdigest()[:16],
    )


def _text(name: str, folder: Path | None) -> str:
    own = folder / name if folder is not None else None
    if own is None or not own.exists():
        return (resources.files("sql_rl") / "templates" / name).read_text(encoding="utf-8").strip()
    try:
        text = own.read_text(encoding="utf-8").strip()
        found = set(Template(text).get_identifiers())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{own}: cannot be read: {error}") from error
    if not Template(text).is_valid() or found != PLACES[name]:
        wanted = ", ".join(f"${place}" for place in sorted(PLACES[name])) or "none"
        raise UsageError(f"{own}: its places must be {wanted} (a dollar sign is written $$)")
    return text


def completion(reasoning: str, sql: str) -> str:
    """The text a model should write: the assistant's message of a distilled row."""
    return f"<think>\n{reasoning.strip()}\n</think>\n<sql>\n{sql.strip()}\n</sql>"


def estimated_tokens(prompt: list[Message]) -> int:
    """How many tokens a prompt has, where the model's tokenizer is not at hand; a few for each message's frame."""
    return sum(len(m["content"]) // CHARACTERS_PER_TOKEN + 4 for m in prompt)
