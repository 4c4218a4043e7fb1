"""The sampler: the order TRL needs, pools that it learns, and draws that a resumed run repeats."""

import json
from collections import Counter
from itertools import islice

import pytest

from sql_rl.train.sampler import CHANCES, DifficultySampler, pool


def sampler(count: int = 10, groups: int = 2, generations: int = 200, **more) -> DifficultySampler:
    return DifficultySampler(count, groups, copies=3, repeats=2, generations=generations, seed=5, **more)


@pytest.mark.parametrize(("rate", "name"), [(None, "fresh"), (0.0, "hard"), (0.1, "frontier"), (1.0, "easy")])
def test_pools(rate, name):
    assert pool(rate) == name


def test_each_group_comes_whole_and_each_generation_as_often_as_it_is_asked_for():
    s = sampler(generations=4)
    found = list(s)
    assert len(found) == len(s) == 4 * 2 * 3 * 2
    for start in range(0, len(found), 12):
        first, again = found[start : start + 6], found[start + 6 : start + 12]
        assert first == again
        assert first[0] == first[1] == first[2] != first[3] == first[4] == first[5]


def test_a_pass_asks_every_fresh_row_once():
    s = sampler()
    assert sorted(row for _ in range(5) for row in s.draw(2)) == list(range(10))


def test_rows_that_teach_nothing_come_up_as_rarely_as_their_pool_says():
    s = sampler(count=30, groups=1, generations=3000)
    for row in range(10):
        s.saw([row] * 4, [True] * 4)
        s.saw([row + 10] * 4, [False] * 4)
        s.saw([row + 20] * 4, [True, False, True, False])
    assert s.shares() == {"fresh": 0, "frontier": 1 / 3, "hard": 1 / 3, "easy": 1 / 3}
    counted = Counter(s.pool_of(row) for row in (s.draw(1)[0] for _ in range(3000)))
    total = sum(CHANCES[name] for name in ("frontier", "hard", "easy"))
    for name in ("frontier", "hard", "easy"):
        assert counted[name] / 3000 == pytest.approx(CHANCES[name] / total, abs=0.03)


def test_without_weights_every_row_has_its_turn():
    s = sampler(count=6, groups=3, weighted=False)
    for row in range(6):
        s.saw([row], [True])
    for _ in range(5):
        assert sorted(s.draw(3) + s.draw(3)) == list(range(6))


def test_a_carried_on_run_draws_what_the_unbroken_one_would():
    def run(s: DifficultySampler, start: int, stop: int) -> list[int]:
        found = []
        for n, row in enumerate(islice(iter(s), 0, stop * 12)):
            if n < start * 12:
                continue  # transformers skips what was trained by drawing it again
            found.append(row)
            if n % 12 == 11:
                s.saw(found[-6:], [(row + n // 12) % 3 == 0 for row in found[-6:]])
        return found

    unbroken = run(sampler(), 0, 60)
    first = sampler()
    early = run(first, 0, 20)
    state = json.loads(json.dumps(first.state_dict()))
    second = sampler()
    second.load_state_dict(state)
    assert early + run(second, 20, 60) == unbroken


def test_more_groups_than_rows_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match="8 different questions, but there are 5"):
        sampler(count=5, groups=8)
