"""SQL functions of other databases, registered in SQLite under the names that they or `rewrite.py` use.

Promise: a function gives NULL where an argument is NULL or cannot be read, never an error of Python but TimeoutError,
for a pattern that would take for ever; random ones are drawn from a fixed seed, so that a verdict never changes.
Calendar functions are in `dates.py`.
"""

import hashlib
import math
import random
import re
import statistics
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING

import apsw

from sql_rl.judge.dialects import dates

if TYPE_CHECKING:
    import regex  # loaded with the first pattern: few queries hold one

LONGEST = 1_000_000  # characters that a function returns; SQLite's own length limit then refuses the rest
PATIENCE = 1.0  # seconds of processor time for one pattern on one text; then it is a TimeoutError


class _Dice:
    """All randomness of SQL: after a `reset`, which costs nothing, the same throws come again."""

    def __init__(self) -> None:
        self._random: random.Random | None = None

    def reset(self) -> None:
        self._random = None

    def throw(self) -> random.Random:
        self._random = self._random or random.Random(0)
        return self._random


DICE = _Dice()


def _pad(text: object, length: int, fill: str, before: bool) -> str:
    text, length = str(text), min(int(length), LONGEST)
    missing = max(0, length - len(text))
    padding = (str(fill) * (missing // max(1, len(str(fill))) + 1))[:missing] if fill else ""
    return (padding + text if before else text + padding)[: max(0, length)]


def _split_part(text: str, separator: str, number: int) -> str:
    parts = str(text).split(str(separator)) if separator else [str(text)]
    place = int(number) - 1 if number > 0 else len(parts) + int(number)
    return parts[place] if 0 <= place < len(parts) else ""


def _substring_index(text: str, separator: str, count: int) -> str:
    parts = str(text).split(str(separator)) if separator else [str(text)]
    return str(separator).join(parts[:count] if count >= 0 else parts[count:])


@lru_cache(maxsize=256)
def _compiled(pattern: str, flags: int) -> "regex.Pattern[str]":
    """Of `regex`, not `re`: it gives up in time, and leaves the interpreter to other threads until then."""
    import regex

    classes = {"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "space": r"\s", "upper": "A-Z", "lower": "a-z"}
    for name, members in classes.items():
        pattern = pattern.replace(f"[:{name}:]", members)
    try:
        return regex.compile(pattern, flags)
    except regex.error as error:
        raise ValueError(str(error)) from None


def _found(pattern: object, text: object, flags: int = 0) -> "regex.Match[str] | None":
    return _compiled(str(pattern), flags).search(str(text), concurrent=True, timeout=PATIENCE)


def _regexp(pattern: object, text: object, flags: int = 0) -> int:
    return int(_found(pattern, text, flags) is not None)


def _regexp_like(text: object, pattern: object, options: str = "") -> int:
    return _regexp(pattern, text, re.IGNORECASE if "i" in options else 0)


def _regexp_replace(text: object, pattern: object, new: object, options: str = "g") -> str:
    replacement, count = re.sub(r"\$(\d)", r"\\\1", str(new)), 0 if "g" in str(options) else 1
    return _compiled(str(pattern), 0).sub(replacement, str(text), count=count, concurrent=True, timeout=PATIENCE)


def _regexp_substr(text: object, pattern: object) -> str | None:
    match = _found(pattern, text)
    return None if match is None else match.group(match.re.groups and 1)


def _cut(number: float, digits: int = 0) -> float:
    scale = 10 ** int(digits)
    return math.trunc(number * scale) / scale


def _find_in_set(item: object, items: str) -> int:
    members = str(items).split(",")
    return members.index(str(item)) + 1 if str(item) in members else 0


def _translate(text: str, old: str, new: str) -> str:
    return str(text).translate({ord(a): (new[i] if i < len(new) else None) for i, a in reversed([*enumerate(old)])})


# name -> (function, numbers of arguments; -1 for any). Called only with arguments none of which is NULL.
_SCALARS: dict[str, tuple[Callable[..., object], tuple[int, ...]]] = {
    "left": (lambda text, count: str(text)[: max(0, int(count))], (2,)),
    "right": (lambda text, count: str(text)[-int(count) :] if count > 0 else "", (2,)),
    "lpad": (lambda text, length, fill=" ": _pad(text, length, fill, before=True), (2, 3)),
    "rpad": (lambda text, length, fill=" ": _pad(text, length, fill, before=False), (2, 3)),
    "repeat": (lambda text, count: str(text) * min(int(count), LONGEST // max(1, len(str(text))) + 1), (2,)),
    "space": (lambda count: " " * min(int(count), LONGEST + 1), (1,)),
    "reverse": (lambda text: str(text)[::-1], (1,)),
    "initcap": (lambda text: re.sub(r"[^\W_]+", lambda word: word.group().capitalize(), str(text)), (1,)),
    "ascii": (lambda text: ord(str(text)[0]) if str(text) else 0, (1,)),
    "split_part": (_split_part, (3,)),
    "substring_index": (_substring_index, (3,)),
    "translate": (_translate, (3,)),
    "stuff": (lambda text, start, count, new: text[: start - 1] + new + text[start - 1 + count :], (4,)),
    "field": (lambda wanted, *items: items.index(wanted) + 1 if wanted in items else 0, (-1,)),
    "find_in_set": (_find_in_set, (2,)),
    "mid": (lambda text, start, count: str(text)[start - 1 : start - 1 + count] if start > 0 else "", (3,)),
    "md5": (lambda text: hashlib.md5(str(text).encode(), usedforsecurity=False).hexdigest(), (1,)),
    "regexp": (_regexp, (2,)),
    "regexp_like": (_regexp_like, (2, 3)),
    "regexp_i_like": (lambda text, pattern: _regexp(pattern, text, re.IGNORECASE), (2,)),
    "regexp_contains": (_regexp_like, (2,)),
    "regexp_replace": (_regexp_replace, (3, 4)),
    "regexp_substr": (_regexp_substr, (2,)),
    "regexp_extract": (_regexp_substr, (2,)),
    "greatest": (lambda *items: max(items), (-1,)),
    "least": (lambda *items: min(items), (-1,)),
    "truncate": (_cut, (1, 2)),
    "cut_number": (_cut, (2,)),
    "cbrt": (lambda number: math.copysign(abs(number) ** (1 / 3), number), (1,)),
    "square": (lambda number: number * number, (1,)),
    "number_to_str": (lambda number, digits: f"{number:,.{int(digits)}f}", (2,)),
    "bit_count": (lambda number: int(number).bit_count(), (1,)),
}


class _Statistic:
    """STDDEV and its relatives: the numbers of a group, and the statistic that is asked of them."""

    def __init__(self, statistic: Callable[[list[float]], float], least: int) -> None:
        self.numbers: list[float] = []
        self.statistic = statistic
        self.least = least

    def step(self, value: object) -> None:
        if isinstance(value, int | float):
            self.numbers.append(float(value))

    def final(self) -> float | None:
        return self.statistic(self.numbers) if len(self.numbers) >= self.least else None


class _DistinctTexts:
    """GROUP_CONCAT(DISTINCT text SEPARATOR s): the texts of a group, each once, in the order they come."""

    def __init__(self) -> None:
        self.texts: dict[object, None] = {}
        self.separator = ","

    def step(self, value: object, separator: object) -> None:
        self.separator = str(separator)
        if value is not None:
            self.texts[value] = None

    def final(self) -> str | None:
        return self.separator.join(map(str, self.texts)) if self.texts else None


# name -> (statistic, how many numbers it takes)
_STATISTICS: dict[str, tuple[Callable[[list[float]], float], int]] = {
    **dict.fromkeys(("stddev", "stddev_samp", "stdev"), (statistics.stdev, 2)),
    **dict.fromkeys(("stddev_pop", "stdevp", "std"), (statistics.pstdev, 1)),
    **dict.fromkeys(("variance", "var_samp", "var"), (statistics.variance, 2)),
    **dict.fromkeys(("variance_pop", "var_pop", "varp"), (statistics.pvariance, 1)),
    **dict.fromkeys(("bool_and", "every"), (lambda values: float(all(values)), 1)),
    "bool_or": (lambda values: float(any(values)), 1),
}


def _null_safe(function: Callable[..., object]) -> Callable[..., object]:
    """NULL for NULL, and NULL for arguments that make no sense to the function."""

    @wraps(function)
    def guarded(*arguments: object) -> object:
        if None in arguments:
            return None
        try:
            result = function(*arguments)
        except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError):
            return None
        return result if not isinstance(result, int) or -(2**63) <= result < 2**63 else float(result)

    return guarded


_CATALOGUE = [
    (name, _null_safe(function), count)
    for name, (function, counts) in (_SCALARS | dates.FUNCTIONS).items()
    for count in counts
]


_INSTANTS = ("now", "getdate", "sysdate", "localtimestamp")
_DISTINCT_TEXTS = "group_concat_distinct"
# The names that SQLite does not have by itself; `random` and `randomblob` it has.
ADDED = frozenset(
    {*(name for name, *_ in _CATALOGUE), *_INSTANTS, "curdate", "curtime", *_STATISTICS, _DISTINCT_TEXTS, "rand"}
)


def register(db: apsw.Connection, now: str) -> None:
    """Register everything in a connection. now: the moment that NOW() and its like return, 'YYYY-MM-DD HH:MM:SS'."""
    for name, function, count in _CATALOGUE:
        db.create_scalar_function(name, function, count, deterministic=True)
    for name, value in (*dict.fromkeys(_INSTANTS, now).items(), ("curdate", now[:10]), ("curtime", now[11:19])):
        db.create_scalar_function(name, lambda value=value: value, 0, deterministic=True)
    for name, (statistic, least) in _STATISTICS.items():
        db.create_aggregate_function(name, lambda s=statistic, n=least: _Statistic(s, n), 1)
    db.create_aggregate_function(_DISTINCT_TEXTS, _DistinctTexts, 2)
    db.create_scalar_function("random", lambda: DICE.throw().getrandbits(64) - 2**63, 0)
    db.create_scalar_function("rand", lambda *_: DICE.throw().random())
    db.create_scalar_function("randomblob", lambda size: DICE.throw().randbytes(blob_size(size, LONGEST)), 1)


def blob_size(asked: object, longest: int) -> int:
    """Bytes that randomblob(asked) returns: one at least, as in SQLite, and one too many for a limit of `longest`."""
    return int(max(1, min(asked, longest + 1))) if isinstance(asked, int | float) else 1
