"""Where statements begin and end."""

import time

import pytest

from sql_rl.judge.dialects.statements import spelling, split


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("a;;b; ", ["a", "b"]),
        ("", []),
        (" ; \n;", []),
        ("-- a; b\nSELECT 1 /* ; */ ; -- end;", ["SELECT 1"]),
        ("SELECT 1 -- why\n+ 2", ["SELECT 1 -- why\n+ 2"]),
        ("SELECT ';', \"a;b\", `c;d`, [e;f]", ["SELECT ';', \"a;b\", `c;d`, [e;f]"]),
        ("SELECT 'it''s; fine'; SELECT 2", ["SELECT 'it''s; fine'", "SELECT 2"]),
        (r"SELECT 'it\'s; fine'; SELECT 2", [r"SELECT 'it\'s; fine'", "SELECT 2"]),
        (r"SELECT 'C:\'; SELECT 2", [r"SELECT 'C:\'", "SELECT 2"]),
        ("SELECT 'unclosed; x", ["SELECT 'unclosed; x"]),
        ("SELECT a-b, a/b", ["SELECT a-b, a/b"]),
        (
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM q; END; SELECT 1",
            [
                "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM q; END",
                "SELECT 1",
            ],
        ),
    ],
)
def test_split(text, statements):
    assert split(text) == statements


@pytest.mark.parametrize("piece", ["'", "/*", "a-b ", "(", ";", "\\'", '"', "[", "--\n"])
def test_long_text_is_split_in_linear_time(piece):
    started = time.process_time()
    split(piece * 200_000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("SELECT count(*) FROM t", "select  COUNT ( * )\nfrom T", True),
        ("SELECT a,b FROM t", "SELECT a , b FROM t", True),
        ("SELECT a FROM t -- why", "SELECT a /* how */ FROM t", True),
        ("SELECT a FROM t WHERE b = 'X'", "SELECT a FROM t WHERE b = 'x'", False),
        ("SELECT a FROM t WHERE b = 'x  y'", "SELECT a FROM t WHERE b = 'x y'", False),
        ('SELECT "A" FROM t', 'SELECT "a" FROM t', False),
        ("SELECT [A] FROM t", "SELECT [a] FROM t", False),
        ("SELECT 1 - -1", "SELECT 1 --1", False),
        ("SELECT a FROM t WHERE b >= 1", "SELECT a FROM t WHERE b > = 1", False),
        ("SELECT ä FROM t", "SELECT Ä FROM t", False),  # SQLite folds ASCII only
        ("SELECT 1 a", "SELECT 1a", False),
        ("SELECT a FROM t", "SELECT a FROM u", False),
        ("SELECT '\ud800'", "select '\ud800'", True),
    ],
)
def test_spelling(one: str, other: str, same: bool):
    assert (spelling(one) == spelling(other)) is same
