"""In which dialect is a statement written, and how does SQLite say the same?

Promise: `readings` gives, best first, the SQLite texts that a statement may stand for, each with the dialect it was
read in and what was rewritten. The statement as it stands comes first wherever SQLite takes it with the right meaning:
most queries are never parsed here. Dialects are known by their marks (backticks, TOP n, ::, AUTO_INCREMENT, …); what
bears none is read in the dialect of its example.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel, SqlglotError

from sql_rl.judge.dialects.definitions import statements_for_sqlite
from sql_rl.judge.dialects.rewrite import for_sqlite, resolve_strings
from sql_rl.judge.dialects.scope import Scope

# What sqlglot cannot read it says on its logger, quoting all of it; here that is a verdict or another reading.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

NATIVE = "sqlite"
OTHERS = ("mysql", "postgres", "tsql", "bigquery", "snowflake", "oracle")
DEEPEST = 100  # parentheses within one another; sqlglot recurses, and a C stack does not raise
# What sqlglot raises on text that is not of the dialect, and what a tree that it made of nonsense leads to.
UNREADABLE = (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, LookupError)
LONGEST = 50_000  # characters that are read in other dialects than SQLite's

# Marks of a dialect, each worth one vote for the dialects it speaks for: a word that has to be there, which is quickly
# found out, and the form it must have. Both are looked for in capitals. What SQLite has as well (backticks, brackets,
# UNSIGNED, IFNULL) is no mark: many a dump of an SQLite database is full of it.
_MYSQL = ("mysql",)
_POSTGRES = ("postgres",)
_TSQL = ("tsql",)
_BIGQUERY = ("bigquery",)
_SNOWFLAKE = ("snowflake",)
_ORACLE = ("oracle",)
_UNITS = r"(?:DAY|MONTH|YEAR|WEEK|HOUR|MINUTE|SECOND|QUARTER|DD|D|MM|M|YYYY|YY|HH|MI)"
_MARKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("AUTO_INCREMENT", r"\bAUTO_INCREMENT\b", _MYSQL),
    ("ENUM", r"\bENUM\s*\(", _MYSQL),
    ("ENGINE", r"\bENGINE\s*=", _MYSQL),
    ("CURDATE", r"\bCURDATE\s*\(", _MYSQL),
    ("STR_TO_DATE", r"\bSTR_TO_DATE\s*\(", _MYSQL),
    ("DATE_FORMAT", r"\bDATE_FORMAT\s*\(", _MYSQL),
    ("TIMESTAMPDIFF", r"\bTIMESTAMPDIFF\s*\(", _MYSQL),
    ("SUBSTRING_INDEX", r"\bSUBSTRING_INDEX\s*\(", _MYSQL),
    ("FIND_IN_SET", r"\bFIND_IN_SET\s*\(", _MYSQL),
    ("DAYOFWEEK", r"\bDAYOFWEEK\s*\(", _MYSQL),
    ("SEPARATOR", r"\bSEPARATOR\s+'", _MYSQL),
    ("INTERVAL", r"\bINTERVAL\s+[-+]?\d+\s+\w", _MYSQL),
    ("RLIKE", r"\bRLIKE\b", _MYSQL),
    ("DIV", r"\bDIV\b", _MYSQL),
    ("DUPLICATE", r"\bON\s+DUPLICATE\s+KEY\b", _MYSQL),
    ("<=>", r"<=>", _MYSQL),
    ("INTERVAL", r"\bDATE_(?:SUB|ADD)\s*\(.*?\bINTERVAL\b", (*_MYSQL, *_BIGQUERY)),
    ("::", r"::", _POSTGRES),
    ("SERIAL", r"\b(?:BIG|SMALL)?SERIAL\b", _POSTGRES),
    ("ILIKE", r"\bILIKE\b", (*_POSTGRES, *_SNOWFLAKE)),
    ("INTERVAL", r"\bINTERVAL\s*'", _POSTGRES),
    ("~", r"!?~\*?\s*'", _POSTGRES),
    ("DISTINCT", r"\bDISTINCT\s+ON\b", _POSTGRES),
    ("JSONB", r"\bJSONB\s*[,)]", _POSTGRES),
    ("TO_CHAR", r"\bTO_CHAR\s*\(", _POSTGRES),
    ("STRING_AGG", r"\bSTRING_AGG\s*\(", _POSTGRES),
    ("ARRAY_AGG", r"\bARRAY_AGG\s*\(", _POSTGRES),
    ("AGE", r"\bAGE\s*\(", _POSTGRES),
    ("BOOL_", r"\bBOOL_(?:AND|OR)\s*\(", _POSTGRES),
    ("DATE_", r"\bDATE_(?:TRUNC|PART)\s*\(\s*'", (*_POSTGRES, *_SNOWFLAKE)),
    ("POSITION", r"\bPOSITION\s*\([^()]*\bIN\b", (*_POSTGRES, *_MYSQL)),
    ("FETCH", r"\bFETCH\s+(?:FIRST|NEXT)\b", (*_POSTGRES, *_ORACLE)),
    ("TOP", r"\bSELECT\s+(?:DISTINCT\s+)?TOP\b", _TSQL),
    ("GETDATE", r"\bGETDATE\s*\(", _TSQL),
    ("IDENTITY", r"\bIDENTITY\s*\(", _TSQL),
    ("NVARCHAR", r"\bNVARCHAR\b", _TSQL),
    ("DATEPART", r"\bDATEPART\s*\(", _TSQL),
    ("LEN", r"\bLEN\s*\(", _TSQL),
    ("ISNULL", r"\bISNULL\s*\([^()]*,", _TSQL),
    ("CHARINDEX", r"\bCHARINDEX\s*\(", _TSQL),
    ("CONVERT", r"\bCONVERT\s*\(\s*\w+\s*(?:\(\d+\))?\s*,", _TSQL),
    ("DATETIME2", r"\bDATETIME2\b", _TSQL),
    ("NOLOCK", r"\bNOLOCK\b", _TSQL),
    ("DATE", rf"\bDATE(?:ADD|DIFF)\s*\(\s*{_UNITS}\s*,", (*_TSQL, *_SNOWFLAKE)),
    ("+", r"\+\s*N?'|'\s*\+", _TSQL),
    ("INT64", r"\bINT64\b", _BIGQUERY),
    ("FLOAT64", r"\bFLOAT64\b", _BIGQUERY),
    ("SAFE_", r"\bSAFE_(?:DIVIDE|CAST)\s*\(", _BIGQUERY),
    ("COUNTIF", r"\bCOUNTIF\s*\(", _BIGQUERY),
    ("_DATE", r"\b(?:PARSE|FORMAT)_DATE\s*\(", _BIGQUERY),
    ("TIMESTAMP_SUB", r"\bTIMESTAMP_SUB\s*\(", _BIGQUERY),
    ("DATE_", rf"\bDATE_(?:TRUNC|DIFF)\s*\(.*?,\s*{_UNITS}\s*\)", _BIGQUERY),
    ("QUALIFY", r"\bQUALIFY\b", _SNOWFLAKE),
    ("IFF", r"\bIFF\s*\(", _SNOWFLAKE),
    ("LISTAGG", r"\bLISTAGG\s*\(", _SNOWFLAKE),
    ("DATEADD", r"\bDATEADD\s*\(\s*'", _SNOWFLAKE),
    ("SYSDATE", r"\bSYSDATE\b", _ORACLE),
    ("VARCHAR2", r"\bVARCHAR2\b", _ORACLE),
    ("NVL", r"\bNVL\s*\(", _ORACLE),
    ("ROWNUM", r"\bROWNUM\b", _ORACLE),
)
_COMPILED_MARKS = tuple((word, re.compile(form), dialects) for word, form, dialects in _MARKS)

_STRING = re.compile(r"'(?:[^']|'')*'")

# What SQLite takes without a word and understands otherwise, whoever wrote it …
_TYPES = r"(?:DATE|DATETIME|TIMESTAMP|STRING|DECIMAL|NUMERIC|SIGNED|UNSIGNED)"
_CLOCK = r"(?:CURRENT_DATE|CURRENT_TIMESTAMP|NOW|CURDATE)\b(?:\s*\(\s*\))?"
_TAKEN_OTHERWISE = tuple(
    (word, re.compile(form))
    for word, form in (
        ("CAST", rf"\bAS\s+{_TYPES}\s*(?:\([\d\s,]*\))?\s*\)"),
        ("AUTO_INCREMENT", r"\bAUTO_INCREMENT\b"),  # a column that does not count
        ("SERIAL", r"\b(?:BIG|SMALL)?SERIAL\b"),
        ("IDENTITY", r"\bIDENTITY\b"),
        ("CUR", rf"\b{_CLOCK}\s*[-+]|[-+]\s*{_CLOCK}"),  # arithmetic of dates, which SQLite does on their years
        ("NOW", rf"\b{_CLOCK}\s*[-+]|[-+]\s*{_CLOCK}"),
        ("DATE", r"\b\w*DATE\s*-\s*(?:\w+\.)?\w*DATE\b"),
    )
)
# … and what means something else in these dialects: a true quotient, joined texts, a formatted number.
_MEANT_OTHERWISE = {
    "mysql": re.compile(r"/|\bFORMAT\s*\(|\bLOG\s*\("),
    "bigquery": re.compile(r"/|\bFORMAT\s*\(|\bLOG\s*\("),
    "snowflake": re.compile(r"/"),
    "oracle": re.compile(r"/"),
    "tsql": re.compile(r"\+|\bFORMAT\s*\(|\bLOG\s*\("),
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
    capitals = _STRING.sub("''", text.upper())  # data bears no marks
    votes: Counter[str] = Counter()
    for word, form, dialects in _COMPILED_MARKS:
        if word in capitals and form.search(capitals):
            votes.update(dialects)
    return tuple(dialect for dialect, _ in votes.most_common())


def readings(statement: str, home: str, scope: Scope) -> Iterator[Reading]:
    """The ways to read one statement, best first, lazily; at least one.

    home: the dialect of the example, NATIVE where it is not known. A caller takes the first that SQLite compiles.
    """
    dialects = [*guess(statement), *([home] if home != NATIVE else [])]
    likely = dialects[0] if dialects else NATIVE
    native = Reading(likely, statement, final=not dialects)
    otherwise = not scope.sqlite and taken_otherwise(statement, likely)
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
    capitals = _STRING.sub("''", text.upper())
    if any(word in capitals and form.search(capitals) for word, form in _TAKEN_OTHERWISE):
        return True
    meant = _MEANT_OTHERWISE.get(dialect)
    return bool(meant and meant.search(capitals))


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
    try:
        return _written(tree, statement, scope, notes)
    except UNREADABLE:
        return None


def _written(tree: exp.Expression, statement: str, scope: Scope, notes: list[str]) -> Reading:
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
    except UNREADABLE:
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
