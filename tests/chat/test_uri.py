"""Database URIs: what they name, what is wrong with them, and that a password is never shown."""

from pathlib import Path

import pytest

from sql_rl.chat.uri import parse_uri
from sql_rl.errors import UsageError


def test_a_file_is_named_from_here_or_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("shop.sqlite", "a b.duckdb"):
        (tmp_path / name).touch()
    here = parse_uri("sqlite:///shop.sqlite")
    assert (here.kind, here.path, str(here)) == ("sqlite", Path("shop.sqlite"), "sqlite:///shop.sqlite")
    assert parse_uri(f"sqlite:///{tmp_path}/shop.sqlite").path == tmp_path / "shop.sqlite"
    assert parse_uri("DuckDB:///a%20b.duckdb").path == Path("a b.duckdb")
    assert parse_uri(None).kind == "memory"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///none.sqlite", "none.sqlite: no such file"),
        ("sqlite:///.", "not a file"),
        ("sqlite://shop.sqlite", "needs three slashes"),
        ("sqlite:///", "needs three slashes"),
        ("mysql://me:geheim@host/db", "mysql://… is not allowed: it must be sqlite:///FILE"),
        ("me:geheim@host/db", "what was given is not allowed"),
        ("shop.sqlite", "did you mean sqlite:///shop.sqlite?"),
        ("shop.duckdb", "did you mean duckdb:///shop.duckdb?"),
        ("postgresql://me:geheim@[::1/db", "cannot be read"),
        ("postgresql://me:ge@heim@host/db", "write them as %40 and %2F"),
        ("postgresql://me:ge/heim@host/db", "write them as %40 and %2F"),
    ],
)
def test_a_wrong_uri_is_one_line_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, said: str
):
    monkeypatch.chdir(tmp_path)
    for name in ("shop.sqlite", "shop.duckdb"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError) as caught:
        parse_uri(uri)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert not any(part in message for part in ("geheim", "heim@", "ge@"))


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:geh%26im@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgres://me:geh%26im@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db?password=geh%26im&sslmode=require", "postgresql://me@host/db?password=***&sslmode=require"),
        ("postgresql://me:xy@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)  # fmt: skip
def test_a_password_is_not_shown(uri: str, shown: str):
    parsed = parse_uri(uri)
    assert str(parsed) == shown
    assert "geh" not in repr(parsed)
    assert parsed.redact('FATAL: no such user with "geh&im", geh%26im') == (
        'FATAL: no such user with "***", ***' if "geh" in uri else 'FATAL: no such user with "geh&im", geh%26im'
    )
    assert parsed.conninfo.startswith("postgresql://me")
