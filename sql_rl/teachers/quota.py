"""What a provider says is left of its limits: the x-ratelimit-* headers of OpenAI, Groq, Azure and their like.

`limit` units fit, `remaining` of them are left, and after `reset` seconds all of them would be back. The providers'
numbers fit a bucket that fills steadily: 5,000 requests a minute, one used, reset 12ms (OpenAI,
platform.openai.com/docs/guides/rate-limits); 14,400 a day, 30 used, reset 2m59.56s (Groq,
console.groq.com/docs/rate-limits).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit. limit, remaining: requests or tokens; reset: seconds until `remaining` would be `limit` again."""

    limit: float
    remaining: float
    reset: float

    @property
    def rate(self) -> float:
        """Units that come back in a second; infinite where nothing is used up."""
        used = self.limit - self.remaining
        return used / self.reset if used > 0 and self.reset > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one answer's headers say; None for a limit they do not name whole."""

    requests: Quota | None
    tokens: Quota | None


def quotas(headers: Mapping[str, str]) -> Quotas | None:
    """The limits in an answer's headers (looked up in lower case), None without any."""
    requests, tokens = _quota(headers, "requests"), _quota(headers, "tokens")
    return Quotas(requests, tokens) if requests or tokens else None


def _quota(headers: Mapping[str, str], unit: str) -> Quota | None:
    texts = [headers.get(f"x-ratelimit-{what}-{unit}") for what in ("limit", "remaining", "reset")]
    if None in texts:
        return None
    try:
        limit, remaining = float(texts[0]), float(texts[1])
    except ValueError:
        return None
    reset = seconds(texts[2])
    if reset is None or not 0 < limit < math.inf or not 0 <= remaining <= limit:
        return None  # Azure writes -1 where it does not count
    return Quota(limit, remaining, reset)


def seconds(text: str) -> float | None:
    """A duration as providers write it ("6m0s", "2m59.56s", "12ms", "1.5"), in seconds; None for anything else."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
