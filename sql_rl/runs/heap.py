"""The garbage collector in a run that makes many short-lived objects and few cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000  # objects made and not freed before the collector looks; Python's own 700 is a tenth of a row of ours


@contextmanager
def rarely_collected() -> Iterator[None]:
    """What exists now (the imported modules) is not looked through again, what comes is looked at less often.

    The collector took a fifth of the CPU time of a run without it; what it finds in one is a few cycles.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
