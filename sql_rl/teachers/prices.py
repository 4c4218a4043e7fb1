"""What a completion costs, from a dated table of published prices (prices.yaml)."""

import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from sql_rl.errors import UsageError
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
        usual = fresh * self.input + completion.cached_tokens * self.cached + completion.completion_tokens * self.output
        return completion.price_share * usual / 1e6


FREE = Price(0.0, 0.0, 0.0)


def price_of(model: str, own: Path | None = None) -> Price | None:
    """The published price of a model, by its exact name or the name before a date; None if it is unknown.

    own: a file in the form of prices.yaml; its models come beside the bundled ones and win over them.
    Raises UsageError for a file that is not in that form.
    """
    table = _models((resources.files("sql_rl.teachers") / "prices.yaml").read_text(encoding="utf-8"))
    if own is not None:
        try:
            table |= _models(own.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{own}: cannot be read: {error.strerror or error}") from error
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(
                f"{own}: not a price file; it needs `models:` and below it lines such as "
                "`my-model: {input: 0.10, cached: 0.05, output: 0.40}` (dollars for a million tokens)"
            ) from error
    dated = [name for name in table if model == name or model.startswith(f"{name}-2")]
    return table[max(dated, key=len)] if dated else None


def _models(text: str) -> dict[str, Price]:
    prices = yaml.safe_load(text)["models"]
    return {name: Price(**{kind: _dollars(said) for kind, said in price.items()}) for name, price in prices.items()}


def _dollars(said: str | float) -> float:
    """Raises ValueError for what is no amount: a cap would not hold with it."""
    dollars = float(said)
    if not 0 <= dollars < math.inf:
        raise ValueError(f"{said} is no price")
    return dollars
