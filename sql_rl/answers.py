"""Answer: what a model wrote, parsed. Pure: text in, reasoning and SQL out, no opinion on whether the SQL is right.

Understands what real models do: `<think>` and `<sql>` tags, a missing opening `<think>`, several think blocks,
```sql fences (the last one is the answer), `<answer>`, a separate reasoning field, prose around the query, a
trailing semicolon, and text that breaks off anywhere.
"""

import re
from dataclasses import dataclass

STATEMENT = r"(?:SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|MERGE|CREATE|ALTER|DROP|TRUNCATE|VALUES)\b"

_THINK = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_THINK_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THINK_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_SQL_TAG = re.compile(r"<sql>(.*?)(?:</sql>|\Z)", re.DOTALL | re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_SQL_FENCES = {"sql", "sqlite", "sqlite3", "mysql", "postgresql", "postgres", "pgsql", "tsql", "plsql", "bigquery"}
_STARTS_LIKE_SQL = re.compile(rf"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*\(*\s*{STATEMENT}", re.DOTALL | re.IGNORECASE)
_SQL_LINE = re.compile(rf"^[ \t]*(?:SQL(?:ite)?(?: query)?:[ \t]*)?(?={STATEMENT})", re.MULTILINE | re.IGNORECASE)
# What text-completion models write after the query: the next shot of the prompt, or a heading.
_NEXT_SHOT = re.compile(
    r"\n\s*(?=(?:###|question:|q:|answer:|explanation:|note:|-- ?question|user:|assistant:|<\|))", re.IGNORECASE
)
# Strings, quoted names and comments are skipped as a whole, so that a ';' in them ends nothing.
_LEXEMES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/|;|\n[ \t]*\n""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read in a completion. sql: None where there is no query; without a trailing semicolon.

    tagged: reasoning and query stood in the tags that were asked for, the query's closed: the format is right.
    """

    reasoning: str
    sql: str | None
    tagged: bool = False


def parse(text: str, reasoning: str | None = None) -> Answer:
    """The reasoning and the SQL in a completion.

    text: the content of the model's message. reasoning: the content of a separate `reasoning` or
    `reasoning_content` field, where the server splits it off.
    """
    thoughts, rest = _split_thoughts(text)
    if reasoning and reasoning.strip():
        thoughts.insert(0, reasoning.strip())
    sql = _sql(rest)
    if sql is not None and not thoughts:
        # Models that think in the open: the prose before the query is the reasoning.
        thoughts = [_prose(rest)]
    closed = re.search(r"<sql>.*?</sql>\s*\Z", rest, re.DOTALL | re.IGNORECASE) is not None
    return Answer(
        reasoning="\n\n".join(dict.fromkeys(t for t in thoughts if t)),
        sql=sql,
        tagged=closed and sql is not None and any(thoughts),
    )


def _split_thoughts(text: str) -> tuple[list[str], str]:
    """The contents of the think blocks, and the text without them."""
    thoughts = [block.strip() for block in _THINK.findall(text)]
    rest = _THINK.sub("\n", text)
    # A chat template may have opened <think> itself, so that only its end is in the completion.
    if closing := list(_THINK_CLOSE.finditer(rest)):
        thoughts.insert(0, rest[: closing[0].start()].strip())
        rest = rest[closing[-1].end() :]
    # Never closed: cut off while thinking, or the query follows without a closing tag.
    if opening := _THINK_OPEN.search(rest):
        thought = rest[opening.end() :]
        query = _SQL_TAG.search(thought)
        thoughts.append((thought[: query.start()] if query else thought).strip())
        rest = rest[: opening.start()] + (thought[query.start() :] if query else "")
    return thoughts, rest


def _sql(text: str) -> str | None:
    """The query in text without think blocks: tags, then fences, then <answer>, then bare SQL."""
    if tags := _SQL_TAG.findall(text):
        return _clean(tags[-1])
    fences = [(language.lower(), body) for language, body in _FENCE.findall(text)]
    queries = [body for language, body in fences if language in _SQL_FENCES and body.strip()]
    queries = queries or [body for language, body in fences if not language and _STARTS_LIKE_SQL.match(body)]
    if queries:
        return _clean(queries[-1])
    if answers := _ANSWER_TAG.findall(text):
        return _sql(answers[-1])
    if start := _SQL_LINE.search(text):
        return _clean(_first_statement(text[start.end() :]))
    return None


def _first_statement(text: str) -> str:
    """Bare SQL up to its semicolon or what follows it: an empty line before prose, the next shot of a prompt."""
    if shot := _NEXT_SHOT.search(text):
        text = text[: shot.start()]
    for lexeme in _LEXEMES.finditer(text):
        if lexeme.group() == ";":
            return text[: lexeme.start()]
        if lexeme.group().startswith("\n") and re.match(r"\s*[A-Z][a-z]+ \w+", text[lexeme.end() :]):
            return text[: lexeme.start()]
    return text


def _clean(sql: str) -> str | None:
    """A query without the fence around it, white space and semicolons at its end; None if nothing is left."""
    if fence := _FENCE.search(sql):
        sql = fence.group(2)
    return sql.strip().rstrip(";").rstrip() or None


def _prose(text: str) -> str:
    """What stands before the query in text that has no think block."""
    starts = [m.start() for pattern in (_SQL_TAG, _FENCE, _ANSWER_TAG, _SQL_LINE) for m in pattern.finditer(text)]
    last_fence = [m.start() for m in _FENCE.finditer(text)]
    return text[: last_fence[-1] if last_fence else min(starts, default=0)].strip()
