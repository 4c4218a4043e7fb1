"""Where SQL statements begin and end, in any dialect's text. Pure, and linear in the length of the text.

Only what is needed to cut is looked at: comments, quoted names and strings. The body of a trigger is kept whole.
"""

import re

# One alternative for each thing that may hide a semicolon. A quote is doubled inside itself in every dialect;
# an unclosed one runs to the end of the text, where the database will complain of it.
_PIECE = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<space> \s+ )
    | (?P<end> ; )
    | (?P<quoted> '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
    | (?P<word> [^\W\d]\w* )
    | (?P<other> [^\w\s;'"`\[/-]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
# The same for MySQL, where a backslash escapes the next character of a string.
_ESCAPED = re.compile(
    _PIECE.pattern.replace(r"'(?:[^']|'')*(?:'|\Z)", r"'(?:[^'\\]|\\.|'')*(?:'|\Z)"), re.VERBOSE | re.DOTALL
)


def split(text: str) -> list[str]:
    """The statements of a script, without comments around them, trailing semicolons or empty statements.

    Comments inside a statement stay. A backslash before a quote is read as an escape where it must be one: where
    the text would otherwise end inside a string.
    """
    bare = text.strip().rstrip("; \t\r\n")
    if ";" not in bare and "--" not in bare and "/*" not in bare:
        return [bare] if bare else []
    statements, complete = _split(text, _PIECE)
    if not complete and "\\'" in text:
        statements, _ = _split(text, _ESCAPED)
    return statements


def spelling(statement: str) -> str:
    """The same for statements that differ only in spacing, comments and the case of ASCII letters outside quotes.

    SQLite reads two statements of one spelling alike (they may name their result's columns otherwise).
    """
    parts, spaced = [""], False
    for match in _PIECE.finditer(statement):
        kind, text = match.lastgroup, match.group()
        if kind in ("space", "comment"):
            spaced = True
            continue
        if spaced and parts[-1][-1:] not in _SEPARATING and text[0] not in _SEPARATING:
            parts.append(" ")
        parts.append(
            text if kind == "quoted" else text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
        )
        spaced = False
    return "".join(parts)


def _split(text: str, piece: re.Pattern[str]) -> tuple[list[str], bool]:
    statements: list[str] = []
    start = end = -1  # of the current statement, comments before and after it left out
    words: list[str] = []  # its first four, which tell whether it is a trigger
    depth = 0  # of BEGIN and CASE inside a trigger
    complete = True
    for match in piece.finditer(text):
        kind = match.lastgroup
        if kind in ("space", "comment"):
            continue
        if kind == "end" and depth == 0:
            if start >= 0:
                statements.append(text[start:end])
            start, words = -1, []
            continue
        if start < 0:
            start = match.start()
        end = match.end()
        if kind == "word":
            word = match.group().upper()
            if len(words) < 4:
                words.append(word)
            if "TRIGGER" in words and words[0] == "CREATE":
                depth += (word in ("BEGIN", "CASE")) - (word == "END" and depth > 0)
        complete = kind != "quoted" or (len(match.group()) > 1 and match.group()[-1] == _CLOSING[match.group()[0]])
    if start >= 0:
        statements.append(text[start:end])
    return statements, complete


_SEPARATING = ("", "(", ")", ",")  # beside these no space is needed
_CLOSING = {"'": "'", '"': '"', "`": "`", "[": "]"}
