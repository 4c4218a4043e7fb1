"""The garbage collector looks less often for the length of a block, and as before after it."""

import gc

import pytest

from sql_rl.runs.heap import YOUNG, rarely_collected


def test_the_collector_is_as_it_was_after_the_block_however_it_ends():
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError), rarely_collected():
        assert gc.get_threshold() == (YOUNG, *before[1:])
        assert gc.get_freeze_count() > frozen
        raise ZeroDivisionError
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_cycles_are_still_found():
    class Node:
        alive = 0

        def __init__(self) -> None:
            Node.alive += 1
            self.me = self

        def __del__(self) -> None:
            Node.alive -= 1

    with rarely_collected():
        for _ in range(3 * YOUNG):
            Node()
        assert Node.alive < 2 * YOUNG
