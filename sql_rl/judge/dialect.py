"""In which dialect is a statement written, and how does SQLite say the same?

Promise: `readings` gives, best first, the SQLite texts that a statement may stand for, each with the dialect it was
read in and what was rewritten. The statement as it stands comes first wherever SQLite takes it with the right meaning:
most queries are never parsed here. Dialects are known by their marks (backticks, TOP n, ::, AUTO_INCREMENT, …); what
bears none is read in the dialect of its example.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel, SqlglotError

from sql_rl.judge.definitions import statements_for_sqlite
from sql_rl.judge.rewrite import Scope, for_sqlite, resolve_strings

NATIVE = "sqlite"
OTHERS = ("mysql", "postgres", "tsql", "bigquery", "snowflake", "oracle")
DEEPEST = 100  # parentheses within one another; sqlglot recurses, and a C stack does not raise
LONGEST = 50_000  # characters that are read in other dialects than SQLite's

# Marks of a dialect, each worth one vote for the dialects it speaks for. What SQLite has as well (backticks,
# brackets, UNSIGNED, IFNULL) is none: many a dump of an SQLite database is full of it.
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\bAUTO_INCREMENT\b|\bENUM\s*\(|\bENGINE\s*=", ("mysql",)),
    (r"\b(?:CURDATE|STR_TO_DATE|DATE_FORMAT|TIMESTAMPDIFF|SUBSTRING_INDEX|FIND_IN_SET|DAYOFWEEK)\s*\(", ("mysql",)),
    (r"\bSEPARATOR\s+'|\bINTERVAL\s+[-+]?\d+\s+\w|\bRLIKE\b|\bDIV\b|\bON\s+DUPLICATE\s+KEY\b|<=>", ("mysql",)),
    (r"\bDATE_(?:SUB|ADD)\s*\(\s*(?:\w+\s*\([^()]*\)|[\w.]+)\s*,\s*INTERVAL\b", ("mysql", "bigquery")),
    (r"::|\b(?:BIG|SMALL)?SERIAL\b|\bILIKE\b|\bINTERVAL\s+'|~\*?|\bDISTINCT\s+ON\b|\bJSONB\b", ("postgres",)),
    (
        r"\b(?:TO_CHAR|STRING_AGG|ARRAY_AGG|AGE|GENERATE_SERIES|MAKE_DATE|BOOL_AND|BOOL_OR)\s*\(|\bRETURNING\b",
        ("postgres",),
    ),
    (r"\bDATE_(?:TRUNC|PART)\s*\(\s*'", ("postgres", "snowflake")),
    (r"\bPOSITION\s*\([^()]*\bIN\b", ("postgres", "mysql")),
    (r"\bFETCH\s+(?:FIRST|NEXT)\b", ("postgres", "oracle")),
    (
        r"\bSELECT\s+(?:DISTINCT\s+)?TOP\b|\bGETDATE\s*\(|\bIDENTITY\s*\(|\bNVARCHAR\b|\bDATEPART\s*\(|\bLEN\s*\(",
        ("tsql",),
    ),
    (
        r"\bISNULL\s*\([^()]*,|\bCHARINDEX\s*\(|\bCONVERT\s*\(\s*\w+\s*(?:\(\d+\))?\s*,|\bDATETIME2\b|\bNOLOCK\b",
        ("tsql",),
    ),
    (
        r"\bDATE(?:ADD|DIFF)\s*\(\s*(?:day|month|year|week|hour|minute|quarter|d|m|yy|yyyy|mm|dd)\s*,",
        ("tsql", "snowflake"),
    ),
    (r"\+\s*N?'|'\s*\+", ("tsql",)),
    (
        r"\b(?:INT64|FLOAT64|SAFE_DIVIDE|SAFE_CAST|COUNTIF|PARSE_DATE|FORMAT_DATE|TIMESTAMP_SUB|UNNEST)\b|\bSTRUCT\s*<",
        ("bigquery",),
    ),
    (r"\bDATE_(?:TRUNC|DIFF)\s*\([^()]*,\s*(?:DAY|WEEK|MONTH|QUARTER|YEAR)\s*\)", ("bigquery",)),
    (r"\bQUALIFY\b|\bIFF\s*\(|\bLISTAGG\s*\(|\bDATEADD\s*\(\s*'|\bVARIANT\b|\bZEROIFNULL\b", ("snowflake",)),
    (r"\bSYSDATE\b|\bVARCHAR2\b|\bNVL\s*\(|\bROWNUM\b|\bADD_MONTHS\s*\(", ("oracle",)),
)
_COMPILED_MARKS = tuple((re.compile(pattern, re.IGNORECASE), dialects) for pattern, dialects in _MARKS)
_ANY_MARK = re.compile("|".join(f"(?:{pattern})" for pattern, _ in _MARKS), re.IGNORECASE)

# What SQLite takes without a word and understands otherwise, whoever wrote it …
_TAKEN_OTHERWISE = re.compile(
    r"""\bAS\s+(?:DATE|DATETIME|TIMESTAMP|STRING|DECIMAL|NUMERIC|SIGNED|UNSIGNED)\b\s*(?:\([\d\s,]*\))?\s*\)   # CAST
      | \b(?:AUTO_INCREMENT|(?:BIG|SMALL)?SERIAL|IDENTITY)\b                                     # no counting
      | \b(?:CURRENT_(?:DATE|TIMESTAMP)|NOW\s*\(\s*\)|CURDATE\s*\(\s*\))(?:\s*\(\s*\))?\s*[-+]   # no dates
      | [-+]\s*(?:CURRENT_(?:DATE|TIMESTAMP)|NOW\s*\(|CURDATE\s*\()
      | \b\w*date\s*-\s*(?:\w+\.)?\w*date\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
# … and what means something else in these dialects: a true quotient, joined texts, a formatted number.
_MEANT_OTHERWISE = {
    "mysql": re.compile(r"/|\bFORMAT\s*\(|\bLOG\s*\(", re.IGNORECASE),
    "bigquery": re.compile(r"/|\bFORMAT\s*\(|\bLOG\s*\(", re.IGNORECASE),
    "snowflake": re.compile(r"/", re.IGNORECASE),
    "oracle": re.compile(r"/", re.IGNORECASE),
    "tsql": re.compile(r"\+|\bFORMAT\s*\(|\bLOG\s*\(", re.IGNORECASE),
}
_SKIPPED = re.compile(
    r"(?:SET|USE|GO|GRANT|REVOKE|COMMENT|BEGIN|START|COMMIT|LOCK|UNLOCK|ANALYZE|CREATE\s+(?:EXTENSION|DATABASE|SCHEMA|"
    r"TYPE|SEQUENCE|ROLE|USER))\b",
    re.IGNORECASE,
)
_CURABLE = re.compile(
    r"syntax error|unrecognized token|incomplete input|no such function|wrong number of arguments|misuse of|"
    r"DISTINCT aggregates|no such (?:table|view): \S+\.\S+|unknown database|parameters|too many SQL variables",
)
# What sqlglot cannot read, and how it is meant.
_REPAIRS = (
    (re.compile(r"(\bINTERVAL\s+\d+\s+)DATE\b", re.IGNORECASE), r"\1DAY", "INTERVAL … DATE read as DAY"),
    (re.compile(r"\b(?:NON)?CLUSTERED\b", re.IGNORECASE), "", "CLUSTERED dropped"),
)


class _Backticks(SQLite):
    """SQLite with its names in backticks: in double quotes an unknown name would silently become a string."""

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]  # noqa: RUF012 - sqlglot's form


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a statement. sql: for SQLite, '' where nothing is to be done; may be several statements.

    final: it is the likeliest reading, so a name unknown in it need not be looked for in others.
    """

    dialect: str
    sql: str
    rewrites: tuple[str, ...] = ()
    final: bool = False


def guess(text: str) -> tuple[str, ...]:
    """The dialects that a text bears marks of, the likeliest first; () for none."""
    if not _ANY_MARK.search(text):
        return ()
    votes: Counter[str] = Counter()
    for pattern, dialects in _COMPILED_MARKS:
        if pattern.search(text):
            votes.update(dialects)
    return tuple(dialect for dialect, _ in votes.most_common())


def readings(statement: str, home: str, scope: Scope) -> Iterator[Reading]:
    """The ways to read one statement, best first, lazily; at least one.

    home: the dialect of the example, NATIVE where it is not known. A caller takes the first that SQLite compiles.
    """
    dialects = [*guess(statement), *([home] if home != NATIVE else [])]
    likely = dialects[0] if dialects else NATIVE
    native = Reading(likely, statement, final=not dialects)
    otherwise = taken_otherwise(statement, likely)
    if not otherwise:
        yield native
    for dialect in dict.fromkeys([*dialects, *OTHERS]):
        reading = translate(statement, replace(scope, dialect=dialect))
        if reading is not None:
            yield replace(reading, final=dialect == likely)
    if otherwise:
        yield native


def taken_otherwise(text: str, dialect: str = NATIVE) -> bool:
    """Does the text hold what SQLite takes with another meaning than the dialect gives it?"""
    meant = _MEANT_OTHERWISE.get(dialect)
    return bool(_TAKEN_OTHERWISE.search(text) or (meant and meant.search(text)))


def is_curable(error: str) -> bool:
    """Is this message of SQLite's one that goes away when the statement is read in another dialect?"""
    return bool(_CURABLE.search(error))


def is_skipped(statement: str) -> bool:
    """Does it set up what a judged database does without (rights, settings, schemas, transactions)?"""
    return bool(_SKIPPED.match(statement))


def translate(statement: str, scope: Scope) -> Reading | None:
    """The statement read in the scope's dialect and written for SQLite; None if it cannot be read in it."""
    notes: list[str] = []
    for pattern, repaired, note in _REPAIRS:
        statement, count = pattern.subn(repaired, statement)
        notes += [note] if count else []
    tree = parse(statement, scope.dialect)
    if tree is None:
        return None
    if scope.dialect != "mysql" and resolve_strings(tree, statement, scope):
        notes.append("names in double quotes read as strings")
    statements, defined = statements_for_sqlite(tree)
    notes += defined
    texts = []
    for part in statements:
        rewritten, done = for_sqlite(part, scope)
        notes += done
        texts.append(rewritten.sql(dialect=_Backticks, unsupported_level=ErrorLevel.IGNORE, comments=False))
    return Reading(scope.dialect, ";\n".join(texts), tuple(dict.fromkeys(notes)))


def parse(statement: str, dialect: str = NATIVE) -> exp.Expression | None:
    """The tree of one statement, None if it cannot be read: a syntax error, too long, too deep."""
    if len(statement) > LONGEST or _depth(statement) > DEEPEST:
        return None
    try:
        trees = sqlglot.parse(statement, read=dialect, error_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError, ValueError):
        return None
    if len(trees) != 1 or trees[0] is None or isinstance(trees[0], exp.Command):
        return None
    return trees[0]


def _depth(statement: str) -> int:
    """How deep the text nests, at most: parentheses, and words that open an expression without one."""
    deepest = depth = 0
    for piece in _NESTING.finditer(statement):
        depth += 1 if piece.group() != ")" else -1 if depth else 0
        deepest = max(deepest, depth)
    return deepest


_NESTING = re.compile(r"[()\[]|\bNOT\b|\bCASE\b|(?<=[-+~(])\s*[-+~]", re.IGNORECASE)
