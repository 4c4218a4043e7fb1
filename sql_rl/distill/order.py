"""Order: rows that ask about the same database come one after another.

Their prompts begin alike, so an engine computes that beginning once, a provider that caches prompts bills it once in
full, and the judge builds the database once. The dataset keeps the order of its source all the same: it is derived.
"""

from collections.abc import Iterable, Iterator

from sql_rl.examples import Example

AHEAD = 512  # rows that are looked through for the same database; what of memory they take is all that it costs


def by_context(examples: Iterable[Example], ahead: int = AHEAD) -> Iterator[Example]:
    """The same examples; each is followed by those of the next `ahead` that have its context and database."""
    source = iter(examples)
    waiting: dict[tuple[str, str], list[Example]] = {}
    held = 0
    exhausted = False
    while True:
        while held < ahead and not exhausted:
            if (example := next(source, None)) is None:
                exhausted = True
                break
            waiting.setdefault((example.context, str(example.database)), []).append(example)
            held += 1
        if not waiting:
            return
        alike = waiting.pop(next(iter(waiting)))
        held -= len(alike)
        yield from alike
