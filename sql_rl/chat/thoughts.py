"""What of a streamed answer is shown while it comes: the reasoning, without tags and without the query.

The query is shown once it is whole, so what is in <sql> tags or a fence is held back here. A tag may come in pieces.
Pure.
"""

import re

_MARK = re.compile(r"</?think(?:ing)?>|</?sql>|</?answer>|```[ \t]*[\w+-]*", re.IGNORECASE)
_LONGEST = len("</thinking>")
_MAY_BEGIN = re.compile(r"(?:<[/a-z]{0,%d}|`{1,2}|```[ \t]*[\w+-]*)\Z" % (_LONGEST - 1), re.IGNORECASE)  # noqa: UP031


class Thoughts:
    """Fed with pieces of an answer, gives back what may be shown of them."""

    def __init__(self) -> None:
        self._held = ""
        self._in_query = False

    def feed(self, piece: str) -> str:
        """What can be shown now; the beginning of what may be a tag waits for its end."""
        text = self._held + piece
        tail = _MAY_BEGIN.search(text)
        cut = tail.start() if tail else len(text)
        self._held = text[cut:]
        return self._visible(text[:cut])

    def end(self) -> str:
        """What was still held back."""
        held, self._held = self._held, ""
        return self._visible(held)

    def _visible(self, text: str) -> str:
        shown = []
        start = 0
        for mark in _MARK.finditer(text):
            if not self._in_query:
                shown.append(text[start : mark.start()])
            start = mark.end()
            name = mark.group().lower()
            if name == "<sql>":
                self._in_query = True
            elif name == "</sql>":
                self._in_query = False
            elif name.startswith("```"):
                self._in_query = not self._in_query
        if not self._in_query:
            shown.append(text[start:])
        return "".join(shown)
