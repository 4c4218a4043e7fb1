"""Prices: by exact name, by the name before a date, never by guess."""

from pathlib import Path

import pytest

from sql_rl.errors import UsageError
from sql_rl.teachers.base import Completion
from sql_rl.teachers.prices import Price, price_of


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4.1-nano", Price(0.10, 0.025, 0.40)),
        ("gpt-4.1-nano-2025-04-14", Price(0.10, 0.025, 0.40)),
        ("gpt-4.1", Price(2.00, 0.50, 8.00)),
        ("gpt-4.1-2025-04-14", Price(2.00, 0.50, 8.00)),
        ("gpt-4.1-nanometre", None),
        ("my-model", None),
        ("gpt", None),
    ],
)
def test_price_of(model: str, price: Price | None):
    assert price_of(model) == price


def test_cached_input_is_cheaper_and_reasoning_is_output():
    reply = Completion("x", None, "stop", "m", 1_000_000, 500_000, cached_tokens=400_000, reasoning_tokens=100_000)
    assert Price(1.0, 0.5, 4.0).of(reply) == pytest.approx(0.6 + 0.2 + 2.0)


def test_a_batch_costs_its_share():
    reply = Completion("x", None, "stop", "m", prompt_tokens=1_000_000, completion_tokens=500_000, price_share=0.5)
    assert Price(1.0, 0.5, 4.0).of(reply) == pytest.approx(1.5)


@pytest.mark.parametrize("dollars", ["-1", ".nan", ".inf", "cheap", "null", "[1]"])
def test_what_is_no_price_is_no_price_file(tmp_path: Path, dollars: str):
    own = tmp_path / "own.yaml"
    own.write_text(f"models:\n  m: {{input: {dollars}, cached: 0, output: 1}}\n")
    with pytest.raises(UsageError, match="not a price file"):
        price_of("m", own)
