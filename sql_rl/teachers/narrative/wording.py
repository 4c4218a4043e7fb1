"""Wording: the small English that every sentence needs, and a voice that varies it by the question.

A voice is seeded with the question's text and is otherwise deterministic: the same question is always told in the
same words, on every machine and Python version, and two questions seldom are.
"""

import random
import zlib
from collections.abc import Sequence


class Voice:
    """Chooses between phrasings. `pick` depends on the question and on how often it was asked before."""

    def __init__(self, question: str) -> None:
        # Only `random()` itself is promised to be the same in every Python version, so nothing else is used.
        self._draw = random.Random(zlib.crc32(question.encode())).random

    def pick(self, *options: str) -> str:
        return options[int(self._draw() * len(options))]


def listing(items: Sequence[str], word: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def article(word: str) -> str:
    return "an" if word[:1].upper() in "AEIO" else "a"


def sentence(text: str) -> str:
    """The text with a full stop, unless it brings its own mark; spaces inside are kept, since literals have them."""
    return text if text.endswith((".", "?", "!", ":")) else text + "."


def quoted(text: str) -> str:
    """Words of the question, in double quotes whatever quotes they contain."""
    return '"' + text.replace('"', "'") + '"'
