"""Dialects: what sets one provider of OpenAI's chat API apart from the next. One teacher speaks all of them."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError

# OpenAI's reasoning models, which refuse max_tokens behind whatever gateway they stand.
REASONING = re.compile(r"(^|/)(o\d|gpt-5)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider.

    name: part of the journal's key. url: its API's base. secret: the variable that holds its key. limit_key: what the
    longest completion is called; at another URL than the provider's it is max_tokens, the name that all servers know.
    header, scheme: how the key is sent. extra: further fields of each request, for models that `extra_for` matches.
    """

    name: str
    url: str
    secret: Literal["API_KEY", "HF_TOKEN"] = "API_KEY"
    limit_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    header: str = "Authorization"
    scheme: str = "Bearer "
    extra: dict[str, Any] = field(default_factory=dict)
    extra_for: re.Pattern[str] = re.compile("")

    def key(self, secrets: Secrets) -> str | None:
        """The credential for it, None without one."""
        return secrets.api_key if self.secret == "API_KEY" else secrets.hf_token

    def headers(self, secrets: Secrets) -> dict[str, str]:
        """The header with the credential; none without one, which servers of one's own may not ask for."""
        key = self.key(secrets)
        return {self.header: self.scheme + key} if key else {}

    def limit_for(self, model: str) -> str:
        """What the longest completion of `model` is called here."""
        return "max_completion_tokens" if REASONING.search(model) else self.limit_key

    def fields(self, model: str) -> dict[str, Any]:
        """What a request to `model` carries beside the fields of all dialects."""
        return self.extra if self.extra_for.search(model) else {}


OPENAI = Dialect("openai", "https://api.openai.com/v1", limit_key="max_completion_tokens")

GROQ = Dialect(
    "groq",
    "https://api.groq.com/openai/v1",
    limit_key="max_completion_tokens",
    # Reasoning in its own field. Only models that think in tags know the parameter, all others answer 400 to it
    # (console.groq.com/docs/reasoning); gpt-oss has the field without being asked. A model of the future that is not
    # named here keeps its tags in the text, which the parser of answers reads as well.
    extra={"reasoning_format": "parsed"},
    extra_for=re.compile(r"qwen-?3|qwq|deepseek-r1", re.IGNORECASE),
)

# Inference Providers (huggingface.co/docs/inference-providers); an endpoint of one's own stands at base_url.
HUGGINGFACE = Dialect("huggingface", "https://router.huggingface.co/v1", secret="HF_TOKEN")

DIALECTS = {dialect.name: dialect for dialect in (OPENAI, GROQ, HUGGINGFACE)}


def dialect_of(provider: str, base_url: str | None, secrets: Secrets) -> Dialect:
    """The dialect that `provider` speaks at base_url (None: the provider's own URL).

    Raises UsageError where the provider's own URL lacks its credential.
    """
    dialect = DIALECTS[provider]
    if base_url is None or base_url.startswith(dialect.url):
        if not dialect.key(secrets):
            raise UsageError(
                f"{dialect.secret} is missing: put it into .env (template.env) or the environment, or use --base-url"
            )
        return dialect
    if (urlsplit(base_url).hostname or "").endswith(".azure.com"):
        # learn.microsoft.com/azure/ai-foundry/openai/reference: a key is no bearer token there
        return replace(dialect, header="api-key", scheme="")
    return replace(dialect, limit_key="max_tokens")
