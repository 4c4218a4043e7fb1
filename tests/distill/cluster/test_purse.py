"""Money among workers: it is never in two places, and comes together where it is needed."""

import random

import pytest

from sql_rl.distill.cluster.purse import Account, Purse


def test_each_busy_worker_is_lent_its_part_and_an_idle_one_nothing():
    purse = Purse(12.0, workers=3)
    assert purse.lend("a") == 4.0
    purse.told("a", Account(returned=0.0, free=4.0, busy=False))
    assert purse.lend("a") == 0.0
    purse.told("a", Account(returned=4.0, busy=False))
    assert purse.money == 12.0


def test_a_worker_that_is_short_gets_what_it_needs_or_nothing():
    purse = Purse(10.0, workers=2)
    purse.lend("a")
    purse.told("a", Account(free=5.0, short=7.0))
    assert purse.lend("a") == 0.0, "five are there: not enough, so it hands back what it has"
    purse.told("a", Account(returned=5.0, short=7.0))
    assert purse.lend("a") == 7.0


def test_the_end_is_when_all_together_cannot_pay_one_request():
    purse = Purse(10.0, workers=2)
    for name, account in {"a": Account(free=5.0, short=7.0), "b": Account(reserved=2.0)}.items():
        purse.lend(name)
        purse.told(name, account)
    assert not purse.exhausted, "what b has on the wire may cost less than was set aside"
    purse.told("b", Account(short=8.0))
    assert not purse.exhausted, "seven and a half are enough for a"
    purse.told("a", Account(free=4.0, short=7.0))
    assert purse.exhausted


def test_money_on_the_way_to_one_worker_is_not_missed_when_another_tells():
    purse = Purse(10.0, workers=2)
    for name in "ab":
        purse.lend(name)
        purse.told(name, Account(returned=5.0, short=4.0))
    assert purse.money == 5.0 + 5.0
    assert purse.lend("a") == 5.0
    purse.told("b", Account(free=0.0, short=6.0))
    assert not purse.exhausted, "five are in the purse, and a has not told yet what it does with its five"


def test_what_a_lost_worker_had_on_the_wire_is_not_lent_again():
    purse = Purse(10.0, workers=1)
    assert purse.lend("a") == 10.0
    purse.told("a", Account(free=5.0, reserved=2.0))
    purse.closed("a", spent=3.0)
    assert purse.money == 5.0


@pytest.mark.parametrize("seed", range(20))
def test_workers_that_spend_at_random_never_pass_the_cap_and_use_it_up(seed: int):
    """Four workers under the rule of `Budget`: a request goes out where its most fits, and costs at most that.

    Their beats overlap: while one is lent money and has not told yet, others tell.
    """
    chance, cap, most = random.Random(seed), 50.0, 1.0
    purse, spent = Purse(cap, workers=4), dict.fromkeys("abcd", 0.0)
    reserved, allowed = dict.fromkeys("abcd", 0.0), dict.fromkeys("abcd", 0.0)
    on_the_way: dict[str, float] = {}
    for _ in range(4000):
        name = chance.choice("abcd")
        if name not in on_the_way:
            on_the_way[name] = purse.lend(name)
            continue
        if reserved[name]:
            spent[name] += chance.uniform(0, reserved[name])
            reserved[name] = 0.0
        returned = allowed[name] - spent[name] - reserved[name]
        allowed[name] += on_the_way.pop(name) - returned
        while allowed[name] - spent[name] - reserved[name] >= most and chance.random() < 0.9:
            reserved[name] += most
        free = allowed[name] - spent[name] - reserved[name]
        short = most if not reserved[name] and free < most else None
        purse.told(name, Account(returned, free, reserved[name], short))
        assert sum(spent.values()) + sum(reserved.values()) <= cap + 1e-9
        if purse.exhausted:
            break
    assert purse.exhausted
    assert cap - sum(spent.values()) < most
