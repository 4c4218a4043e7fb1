"""The budget: reservations that never let the cap be passed, and an end that says so."""

import asyncio

import pytest

from sql_rl.distill.budget import Budget, most_expensive
from sql_rl.errors import StoppedEarlyError
from sql_rl.examples import Example
from sql_rl.teachers.base import Completion, Request, Sampling
from sql_rl.teachers.prices import Price

PRICE = Price(input=0.0, cached=0.0, output=1e6)  # a dollar for each token of the answer
REQUEST = Request(Example(0, "0", "q", "c", "g"), [{"role": "user", "content": "é"}], Sampling(None, 10, None), 0)


def answer(tokens: int) -> Completion:
    return Completion("x", None, "stop", "m", completion_tokens=tokens)


def test_the_most_a_request_can_cost():
    assert most_expensive(REQUEST, PRICE) == 10
    assert most_expensive(REQUEST, Price(1e6, 1e6, 0)) == 2 + 16, "bytes, not characters"


async def test_a_request_waits_until_those_in_flight_make_room():
    budget, order = Budget(25, PRICE, spent=0), []

    async def ask(name: str, tokens: int) -> None:
        async with budget.admitted(REQUEST):
            order.append(f"{name} out")
            await asyncio.sleep(0)
            budget.spend(REQUEST, answer(tokens))
        order.append(f"{name} in")

    await asyncio.gather(ask("a", 5), ask("b", 5), ask("c", 5))
    assert order.index("c out") > order.index("a in"), "three times ten do not fit into 25"
    assert budget.spent == 15


async def test_the_end_is_told_when_waiting_cannot_help():
    budget = Budget(25, PRICE, spent=16)
    with pytest.raises(StoppedEarlyError, match=r"--max-cost \$25; \$16.0000 are spent"):
        async with budget.admitted(REQUEST):
            pass


async def test_a_failed_request_gives_its_reservation_back():
    budget = Budget(10, PRICE, spent=0)
    for _ in range(3):
        with pytest.raises(ValueError):
            async with budget.admitted(REQUEST):
                raise ValueError
    async with budget.admitted(REQUEST):
        budget.spend(REQUEST, answer(10))
    assert budget.spent == 10


async def test_never_passed_whatever_the_answers():
    budget, cap = Budget(100, PRICE, spent=0), 100
    stopped = 0

    async def ask(n: int) -> None:
        nonlocal stopped
        try:
            async with budget.admitted(REQUEST):
                await asyncio.sleep(0)
                budget.spend(REQUEST, answer(n % 11))
        except StoppedEarlyError:
            stopped += 1
        assert budget.spent <= cap

    await asyncio.gather(*(ask(n) for n in range(200)))
    assert stopped
    assert budget.spent > cap - 10


def test_a_server_that_tells_no_tokens_does_not_pass_the_cap_unseen(capsys: pytest.CaptureFixture[str]):
    budget = Budget(100, PRICE, spent=0)
    counted = [budget.spend(REQUEST, answer(0)) for _ in range(2)]
    assert budget.spent == 2 * most_expensive(REQUEST, PRICE)
    assert counted[0].completion_tokens == REQUEST.sampling.max_tokens, "as the journal keeps it, for the next start"
    assert capsys.readouterr().err.count("does not tell how many tokens") == 1
