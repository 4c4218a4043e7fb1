"""x-ratelimit headers: what providers really send."""

import math

import pytest

from sql_rl.teachers.quota import Quota, Quotas, quotas, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6m0s", 360.0), ("1s", 1.0), ("12ms", 0.012), ("2m59.56s", 179.56), ("7.66s", 7.66), ("1h2m3s", 3723.0),
        ("1d", 86400.0), ("250µs", 0.00025), ("0s", 0.0), ("15", 15.0), ("1.5", 1.5), (" 2s ", 2.0),
        ("", None), ("soon", None), ("-1", None), ("5 minutes", None), ("1s2x", None), ("nan", None),
    ],
)  # fmt: skip
def test_durations(text: str, value: float | None):
    assert seconds(text) == (None if value is None else pytest.approx(value))


def headers(**named: str) -> dict[str, str]:
    return {"x-ratelimit-" + name.replace("_", "-"): value for name, value in named.items()}


OPENAI = headers(
    limit_requests="5000", remaining_requests="4999", reset_requests="12ms",
    limit_tokens="160000", remaining_tokens="159976", reset_tokens="9ms",
)  # fmt: skip
GROQ = headers(
    limit_requests="14400", remaining_requests="14370", reset_requests="2m59.56s",
    limit_tokens="18000", remaining_tokens="17997", reset_tokens="7.66s",
)  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (OPENAI, Quotas(Quota(5000, 4999, 0.012), Quota(160000, 159976, pytest.approx(0.009)))),
        (GROQ, Quotas(Quota(14400, 14370, pytest.approx(179.56)), Quota(18000, 17997, 7.66))),
        (headers(limit_tokens="100", remaining_tokens="0", reset_tokens="60"), Quotas(None, Quota(100, 0, 60.0))),
        (headers(limit_tokens="-1", remaining_tokens="-1", reset_tokens="0"), None),  # Azure, where it does not count
        (headers(remaining_requests="12"), None),
        (headers(limit_requests="many", remaining_requests="few", reset_requests="1s"), None),
        (headers(limit_requests="nan", remaining_requests="1", reset_requests="1s"), None),
        ({"x-ratelimit-limit": "20", "x-ratelimit-remaining": "19", "x-ratelimit-reset": "1741305600000"}, None),
        ({}, None),
    ],
)
def test_headers(sent: dict[str, str], read: Quotas | None):
    assert quotas(sent) == read


@pytest.mark.parametrize(
    ("quota", "rate"),
    [
        (Quota(5000, 4999, 0.012), 5000 / 60),
        (Quota(14400, 14370, 180.0), 14400 / 86400),
        (Quota(100, 100, 0.0), math.inf),
        (Quota(100, 99, 0.0), math.inf),
    ],
)
def test_the_rate_at_which_it_comes_back(quota: Quota, rate: float):
    assert quota.rate == pytest.approx(rate)
