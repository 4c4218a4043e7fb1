"""Database URIs: what they name, and how they are shown. Pure.

sqlite:///file.sqlite and duckdb:///file.duckdb name a file (a fourth slash makes the path absolute, as SQLAlchemy has
it); postgresql:// is libpq's (postgresql.org/docs/current/libpq-connect.html). A password is in no repr and no message.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sql_rl.errors import UsageError

SCHEMES = {"sqlite": "sqlite", "duckdb": "duckdb", "postgresql": "postgresql", "postgres": "postgresql"}
FORMS = "sqlite:///FILE, duckdb:///FILE or postgresql://USER@HOST/DATABASE"
_HIDDEN = "***"
SHORTEST = 4  # characters; a shorter password is in too many words to be looked for outside of URIs


@dataclass(frozen=True, slots=True)
class DatabaseUri:
    """kind: sqlite, duckdb, postgresql, or memory for none at all. path: the file, for sqlite and duckdb.

    conninfo: the URI as libpq takes it, for postgresql. secrets: the forms in which its password may turn up.
    """

    kind: str
    path: Path | None = None
    conninfo: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """As it may be shown."""
        if self.path is not None:
            return f"{self.kind}:///{self.path}"
        return self.redact(self.conninfo) or "an empty database in memory"

    def redact(self, text: str) -> str:
        """The text without the password: for what a driver says."""
        text = re.sub(r"(://[^/@\s:]*:)\S+@", rf"\1{_HIDDEN}@", text)
        text = re.sub(r"(password=)[^&\s]+", rf"\1{_HIDDEN}", text)
        for secret in self.secrets:
            if len(secret) >= SHORTEST:
                text = text.replace(secret, _HIDDEN)
        return text


def parse_uri(uri: str | None) -> DatabaseUri:
    """What the URI names; None is an empty database in memory.

    Raises UsageError for another scheme, a URI that names no file, or a file that is not there.
    """
    if uri is None:
        return DatabaseUri("memory")
    scheme, found, rest = uri.partition("://")
    kind = SCHEMES.get(scheme.lower()) if found else None
    if kind is None:
        if not found and Path(uri).is_file():
            wanted = "duckdb" if uri.endswith((".duckdb", ".ddb")) else "sqlite"
            raise UsageError(f"--db: {uri} is no URI: did you mean {wanted}:///{uri}?")
        shown = f"{scheme}://…" if found else "what was given"  # whatever it is, it may hold a password
        raise UsageError(f"--db: {shown} is not allowed: it must be {FORMS}")
    if kind == "postgresql":
        return DatabaseUri(kind, conninfo=f"postgresql://{rest}", secrets=_secrets(uri))
    path = Path(unquote(rest.removeprefix("/")))
    if not rest.startswith("/") or not rest.strip("/"):
        raise UsageError(f"--db: {scheme}:// needs three slashes and a file: {kind}:///shop.{kind}")
    if not path.is_file():
        raise UsageError(f"--db: {path}: {'not a file' if path.exists() else 'no such file'}")
    return DatabaseUri(kind, path=path)


def _secrets(uri: str) -> tuple[str, ...]:
    """The password as it stands in the URI and as it is meant, the longer form first.

    Raises UsageError where libpq would take a part of the password for a host, and name it in an error.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise UsageError(f"--db: the address in postgresql:// cannot be read: it must be {FORMS}") from None
    if parts.netloc.count("@") > 1 or ("@" not in parts.netloc and "@" in parts.path):
        raise UsageError("--db: the password in postgresql:// holds @ or /: write them as %40 and %2F")
    raw = [parts.password or "", *re.findall(r"(?:^|&)password=([^&]*)", parts.query)]
    forms = {form for secret in raw if secret for form in (secret, unquote(secret))}
    return tuple(sorted(forms, key=len, reverse=True))
