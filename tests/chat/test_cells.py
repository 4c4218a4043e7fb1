"""Values on the terminal, in CSV and in JSON; and that data cannot steer the terminal."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from sql_rl.chat.cells import for_csv, for_json, for_table, harmless, records

VALUES = [
    (None, "NULL", "", None),
    ("", "", "", ""),
    ("Ulm\n2", "Ulm\n2", "Ulm\n2", "Ulm\n2"),
    (True, "true", "true", True),
    (1.5, "1.5", "1.5", 1.5),
    (float("nan"), "nan", "nan", None),
    (Decimal("1.50"), "1.50", "1.50", 1.5),
    (Decimal(12), "12", "12", 12),
    (Decimal("12345678901234567890123.00"), "12345678901234567890123.00", "12345678901234567890123.00",
     12345678901234567890123),
    (Decimal("NaN"), "NaN", "NaN", None),
    (Decimal("-Infinity"), "-Infinity", "-Infinity", None),
    (Decimal("1E+5000"), "1E+5000", "1E+5000", "1E+5000"),
    (b"\x00\xff", "x'00ff'", "00ff", "00ff"),
    (memoryview(b"ab"), "x'6162'", "6162", "6162"),
    (date(2024, 1, 2), "2024-01-02", "2024-01-02", "2024-01-02"),
    (datetime(2024, 1, 2, 3, 4), "2024-01-02 03:04:00", "2024-01-02 03:04:00", "2024-01-02 03:04:00"),
    ([1, None], "[1, null]", "[1, null]", [1, None]),
    ({"a": Decimal("0.5")}, '{"a": 0.5}', '{"a": 0.5}', {"a": 0.5}),
    (UUID(int=1), str(UUID(int=1)), str(UUID(int=1)), str(UUID(int=1))),
]  # fmt: skip


@pytest.mark.parametrize(("value", "table", "csv", "json"), VALUES, ids=lambda value: type(value).__name__)
def test_values(value: object, table: str, csv: str, json: object):
    assert for_table(value) == table
    assert str(for_csv(value)) == csv
    assert for_json(value) == json


def test_long_bytes_are_cut_on_the_terminal_only():
    assert for_table(b"a" * 1000) == f"x'{'61' * 32}'… (1,000 bytes)"
    assert len(for_csv(b"a" * 1000)) == 2000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb\tc\nd", "a\\x0db\tc\nd"),
        ("abc\u202edef", "abcdef"),
        ("Köln 東京 🙂", "Köln 東京 🙂"),
    ],
)
def test_what_would_steer_a_terminal_is_made_visible(text: str, shown: str):
    assert harmless(text) == shown


def test_columns_named_alike_are_kept_apart():
    assert records(("n", "n", "n_2"), [(1, 2, 3)]) == [{"n": 1, "n_2": 2, "n_2_2": 3}]
