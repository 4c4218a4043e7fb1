"""Unsaid: what of a statement a telling of it has left out, so that nothing is.

The phrases are made to be complete, but a dialect may print a function under another name than it was written with
(SUBSTR as SUBSTRING, IIF as CASE). This is the check behind the promise that every table, column, literal and
function of a statement is named.
"""

import re

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

_STRING = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_CALL = re.compile(r"\b(?!(?:AND|OR|NOT|IN|EXISTS|ANY|ALL|SOME|VALUES)\b)([A-Za-z_]\w*)\s*\(", re.IGNORECASE)


def unsaid(tree: exp.Expression, sql: str, dialect: str, text: str) -> list[str]:
    """The names, literals and functions of a statement that are not in `text`, each once, letter case aside.

    sql: the statement as it was written; tree: as it was read in `dialect`.
    """
    lower = text.lower()
    missing = {
        node.name: None
        for node in tree.find_all(exp.Table, exp.Column, exp.Literal)
        if node.name.lower() not in lower and node.name.replace("'", "''").lower() not in lower
    }
    functions = Dialect.get_or_raise(dialect).parser_class.FUNCTIONS
    for name in _CALL.findall(_STRING.sub("''", sql)):
        if name.upper() in functions and f"{name.lower()}(" not in lower:
            missing[name.upper()] = None
    return list(missing)
