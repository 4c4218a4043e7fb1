"""Values of a result, as a terminal, a CSV file and JSON take them. Pure.

Data and models are not trusted with the terminal: control characters are made visible.
"""

import json
import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

NULL = "NULL"
SHOWN_BYTES = 32
MOST_DIGITS = 4000  # of a whole number; Python writes none of more than 4300
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text without what would steer a terminal (ECMA-48's C0 and C1, and changes of writing direction)."""
    return _CONTROLS.sub(lambda m: f"\\x{ord(m.group()):02x}" if ord(m.group()) < 256 else "", text)


def for_table(value: Any) -> str:
    """A value in a table on the terminal; a NULL is told from an empty text by the word."""
    if value is None:
        return NULL
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return f"x'{data[:SHOWN_BYTES].hex()}'" + (f"… ({len(data):,} bytes)" if len(data) > SHOWN_BYTES else "")
    return harmless(_text(value))


def for_csv(value: Any) -> Any:
    """A value in a CSV file: a NULL is empty, bytes are hexadecimal."""
    if value is None:
        return ""
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else _text(value)


def for_json(value: Any) -> Any:
    """A value in JSON: numbers that JSON lacks are null, what it has no form for is text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, dict):
        return {str(key): for_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [for_json(inner) for inner in value]
    return for_csv(value)


def _number(value: Decimal) -> Any:
    """A decimal as a number of JSON: whole ones to their last digit, what a double does not reach as text."""
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and value.adjusted() < MOST_DIGITS:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else str(value)


def unique(columns: tuple[str, ...]) -> list[str]:
    """The names as keys of an object; one that was there before gets a number."""
    names: list[str] = []
    for column in columns:
        name, number = column, 2
        while name in names:
            name, number = f"{column}_{number}", number + 1
        names.append(name)
    return names


def records(columns: tuple[str, ...], rows: list[tuple]) -> list[dict[str, Any]]:
    """Rows as JSON objects."""
    names = unique(columns)
    return [dict(zip(names, map(for_json, row), strict=True)) for row in rows]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict | list | tuple | set):
        return json.dumps(for_json(value), ensure_ascii=False)
    return str(value)
