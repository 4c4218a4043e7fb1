"""Order: rows that ask about the same database come one after another.

Their prompts begin alike, so an engine computes that beginning once, a provider that caches prompts bills it once in
full, and the judge builds the database once. The dataset keeps the order of its source all the same: it is derived.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from sql_rl.examples import Example

AHEAD = 512  # rows that are looked through for the same database; what of memory they take is all that it costs


def by_context(examples: Iterable[Example], ahead: int = AHEAD) -> Iterator[Example]:
    """The same examples, the first of those not yet given each time, and with it all that are about its database.

    ahead: examples that are read and not yet given, at most.
    """
    source = iter(examples)
    waiting: dict[tuple[str, str], list[Example]] = {}
    room = ahead
    while True:
        for example in islice(source, room):
            waiting.setdefault((example.context, str(example.database)), []).append(example)
            room -= 1
        if not waiting:
            return
        alike = waiting.pop(next(iter(waiting)))
        yield from alike
        room += len(alike)
