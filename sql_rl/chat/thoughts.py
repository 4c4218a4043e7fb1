"""What of a streamed answer is shown while it comes: the reasoning, without tags and without the query.

The query is shown once it is whole, so what is in <sql> tags or a fence is held back here. A tag may come in pieces.
Pure.
"""

import re

_MARK = re.compile(r"</?think(?:ing)?>|</?sql>|</?answer>|```[ \t]*[\w+-]*", re.IGNORECASE)
_TAGS = tuple(f"<{end}{name}>" for end in ("", "/") for name in ("think", "thinking", "sql", "answer"))
_TAIL = re.compile(r"<[/a-z]*\Z|`{1,2}\Z|```[ \t]*[\w+-]*\Z", re.IGNORECASE)


class Thoughts:
    """Fed with pieces of an answer, gives back what may be shown of them."""

    def __init__(self) -> None:
        self._held = ""
        self._in_query = False

    def feed(self, piece: str) -> str:
        """What can be shown now; the beginning of what may be a tag waits for its end."""
        text = self._held + piece
        cut = _open_end(text)
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


def _open_end(text: str) -> int:
    """Where what may be the beginning of a tag or a fence begins at the end of the text; its length without one."""
    tail = _TAIL.search(text)
    if tail is None or (tail.group()[0] == "<" and not any(tag.startswith(tail.group().lower()) for tag in _TAGS)):
        return len(text)
    return tail.start()
