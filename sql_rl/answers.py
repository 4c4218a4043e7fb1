"""Answer: what a model wrote, parsed. Pure: text in, reasoning and SQL out, no opinion on whether the SQL is right.

Understands what real models do: `<think>` and `<sql>` tags, a missing opening `<think>`, several think blocks,
```sql fences (the last one is the answer), `<answer>`, a separate reasoning field, JSON, `inline code`, prose around
the query, a trailing semicolon, end-of-text tokens, and text that breaks off anywhere.
"""

import html
import json
import re
from dataclasses import dataclass

STATEMENT = r"(?:SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|MERGE|CREATE|ALTER|DROP|TRUNCATE|VALUES)\b"

_THINK = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_THINK_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THINK_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
# An opening tag inside another's content begins the query anew.
_SQL_TAG = re.compile(r"<sql(?:\s[^<>]*)?>((?:(?!<sql>).)*?)(?:</sql\s*>|(?=<sql>)|\Z)", re.DOTALL | re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<answer>((?:(?!<answer>).)*?)(?:</answer>|(?=<answer>)|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(rf"```[ \t]*(?!{STATEMENT})([\w+-]*)[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_SQL_FENCES = {"sql", "sqlite", "sqlite3", "mysql", "postgresql", "postgres", "pgsql", "tsql", "plsql", "bigquery"}
_STARTS_LIKE_SQL = re.compile(rf"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*\(*\s*{STATEMENT}", re.DOTALL | re.IGNORECASE)
# "**SQL Query:** SELECT", "Final answer: SELECT", "1. SELECT"
_LABEL = (
    r"(?:>|[-*]|\d+[.)])?[ \t]*+(?:[*_]{0,2}(?:final )?(?:SQL(?:ite)?|answer|query)(?: query)?[*_]{0,2}:[*_]{0,2})?"
)
_SQL_LINE = re.compile(rf"^[ \t]*+{_LABEL}[ \t]*+(?={STATEMENT}|\(+\s*SELECT\b)", re.MULTILINE | re.IGNORECASE)
_PROSE_WORD = re.compile(r"[A-Z][a-z]")  # "Select the rows that …": not how a query is written
_INLINE = re.compile(rf"`({STATEMENT}\s[^`]+)`", re.IGNORECASE)
_JSON = re.compile(r'"(?:sql|query|sql_query)"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_BAR = r"[|\uff5c]"  # DeepSeek's is a wide one
_END_OF_TEXT = re.compile(rf"<{_BAR}[^<>|\uff5c\n]{{1,40}}{_BAR}>|</s>|<eos>|<end_of_turn>")
_LAST_TOKEN = re.compile(rf"(?:{_END_OF_TEXT.pattern})\Z")
_LONGEST_TOKEN = 44
# What text-completion models write after the query: the next shot of the prompt, or a heading.
_NEXT_SHOT = re.compile(
    r"\n\s*(?=[*_]{0,2}(?:###|question:|q:|answer:|explanation:|note:|-- ?question|user:|assistant:|<\|))",
    re.IGNORECASE,
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
    if not text.strip() and reasoning and _ends_in_tag(_without_end(reasoning)):
        text, reasoning = reasoning, None  # a server that takes all that is not closed by </think> for reasoning
    thoughts, rest = _split_thoughts(_without_end(text))
    if reasoning and reasoning.strip():
        thoughts.insert(0, reasoning.strip())
    sql = _sql(rest)
    if sql is not None and not thoughts:
        # Models that think in the open: the prose before the query is the reasoning.
        thoughts = [_prose(rest)]
    closed = _ends_in_tag(rest)
    return Answer(
        reasoning="\n\n".join(dict.fromkeys(t for t in thoughts if t)),
        sql=sql,
        tagged=closed and sql is not None and any(thoughts),
    )


def _without_end(text: str) -> str:
    """The text without the tokens that end it, which some servers leave in."""
    end = len(text)
    while True:
        while end and text[end - 1].isspace():
            end -= 1
        token = _LAST_TOKEN.search(text, max(0, end - _LONGEST_TOKEN), end)
        if token is None:
            return text[:end]
        end = token.start()


def _ends_in_tag(text: str) -> bool:
    end = text.rstrip().lower()
    return end.endswith("</sql>") and "<sql>" in end


def _split_thoughts(text: str) -> tuple[list[str], str]:
    """The contents of the think blocks, and the text without them."""
    # Models that repeat themselves open it thousands of times: no block is looked for behind the last end of one.
    last = max((closing.end() for closing in _THINK_CLOSE.finditer(text)), default=0)
    thoughts = [block.strip() for block in _THINK.findall(text[:last])]
    rest = _THINK.sub("\n", text[:last]) + text[last:]
    # A chat template may have opened <think> itself, so that only its end is in the completion.
    if closing := list(_THINK_CLOSE.finditer(rest)):
        thoughts.insert(0, rest[: closing[0].start()].strip())
        rest = rest[closing[-1].end() :]
    # Never closed: cut off while thinking, or the query follows without a closing tag.
    if opening := _THINK_OPEN.search(rest):
        thought = rest[opening.end() :]
        # A thought may speak of the tag: "the answer goes in <sql> tags".
        query = next((tag for tag in _SQL_TAG.finditer(thought) if _STARTS_LIKE_SQL.match(_clean(tag[1]) or "")), None)
        thoughts.append((thought[: query.start()] if query else thought).strip())
        rest = rest[: opening.start()] + (thought[query.start() :] if query else "")
    return thoughts, rest


def _sql(text: str) -> str | None:
    """The query in text without think blocks: tags, then fences, <answer>, JSON, bare SQL, `inline code`."""
    if tags := _SQL_TAG.findall(text):
        return _clean(_last_with_text(tags))
    fences = [(language.lower(), body) for language, body in _FENCE.findall(text)]
    queries = [body for language, body in fences if language in _SQL_FENCES and body.strip()]
    queries = queries or [body for language, body in fences if not language and _STARTS_LIKE_SQL.match(body)]
    if queries:
        return _clean(queries[-1])
    if answers := _ANSWER_TAG.findall(text):
        return _sql(_last_with_text(answers))
    if objects := _JSON.findall(text):
        return _clean(_unquoted(objects[-1]))
    starts = [start.end() for start in _SQL_LINE.finditer(text)]
    written = [start for start in starts if not _PROSE_WORD.match(text, start)]
    if not written and (inline := _INLINE.findall(text)):
        return _clean(inline[-1])
    return _clean(_first_statement(text[(written or starts)[0] :])) if starts else None


def _last_with_text(contents: list[str]) -> str:
    """The last that is not blank: what follows it may be a tag that was opened and no more."""
    return next((content for content in reversed(contents) if content.strip()), "")


def _unquoted(string: str) -> str:
    """The text that a JSON string stands for; line ends may stand in it as they are. As written if it is no JSON."""
    try:
        return json.loads(string, strict=False)
    except ValueError:
        return string[1:-1]


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
    sql = _END_OF_TEXT.split(sql)[0]
    if "&lt;" in sql or "&gt;" in sql:  # escaped for a page of HTML: SQL has no use for '&lt'
        sql = html.unescape(sql)
    return sql.strip().rstrip(";").rstrip() or None


def _prose(text: str) -> str:
    """What stands before the query in text that has no think block."""
    starts = [m.start() for pattern in (_SQL_TAG, _FENCE, _ANSWER_TAG, _SQL_LINE) for m in pattern.finditer(text)]
    last_fence = [m.start() for m in _FENCE.finditer(text)]
    return text[: last_fence[-1] if last_fence else min(starts, default=0)].strip()


def encodable(text: str) -> str:
    """JSON may hold half of a surrogate pair (a model cut off in an emoji); no file and no database takes one."""
    return text.encode("utf-8", "replace").decode("utf-8")
