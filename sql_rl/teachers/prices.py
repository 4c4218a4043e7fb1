"""What a completion costs, from a dated table of published prices (prices.yaml)."""

from dataclasses import dataclass
from importlib import resources

import yaml

from sql_rl.teachers.base import Completion


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens: of input that is not cached, of cached input, of output."""

    input: float
    cached: float
    output: float

    def of(self, completion: Completion) -> float:
        """Dollars for one completion; reasoning tokens are billed as output and counted in it."""
        fresh = completion.prompt_tokens - completion.cached_tokens
        return (
            fresh * self.input + completion.cached_tokens * self.cached + completion.completion_tokens * self.output
        ) / 1e6


FREE = Price(0.0, 0.0, 0.0)


def price_of(model: str) -> Price | None:
    """The published price of an OpenAI model, by its exact name or the name before a date; None if it is unknown."""
    table = yaml.safe_load((resources.files("sql_rl.teachers") / "prices.yaml").read_text(encoding="utf-8"))["models"]
    dated = [name for name in table if model == name or model.startswith(f"{name}-2")]
    return Price(**table[max(dated, key=len)]) if dated else None
