"""Patience with the Hub: what is worth another try, how long to wait for it, and what to say when it is not.

Worth another try: a commit that came in between (409, 412), a limit (429), a server's trouble (408, 5xx), a cut
connection. Statuses as huggingface.co/docs/hub/api and git-lfs's batch API use them.
"""

import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from sql_rl.configure import Secrets
from sql_rl.errors import RefusedError, SqlRlError, UsageError
from sql_rl.teachers.http import retry_after

T = TypeVar("T")
TRANSIENT = frozenset({408, 409, 412, 425, 429})
TRIES = 8
LONGEST_WAIT = 60.0  # seconds between two tries, where the Hub does not ask for more
TOLD = 3.0  # seconds of waiting that would look like a program that hangs


class Patience:
    """Calls until it works. what: names the deed in errors ('me/rows on the Hub').

    pause: waits so many seconds (injected in tests); it may raise, and so end the waiting. jitter: draws from [0, 1).
    """

    def __init__(
        self,
        what: str,
        secrets: Secrets,
        pause: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._what, self._secrets, self._pause, self._jitter = what, secrets, pause, jitter

    def __call__(self, call: Callable[[], T]) -> T:
        """What the call gives. Raises RefusedError (4) for credentials, UsageError (2) offline, else SqlRlError (1)."""
        from httpx import HTTPError, InvalidURL
        from huggingface_hub.errors import OfflineModeIsEnabled

        for tries in range(1, TRIES + 1):
            try:
                return call()
            except OfflineModeIsEnabled as error:
                raise UsageError(f"{self._what}: HF_HUB_OFFLINE is set: unset it to publish") from error
            # The library wraps what went wrong on the wire: an upload's failure comes as a RuntimeError.
            except (HTTPError, InvalidURL, OSError, RuntimeError, ValueError) as error:
                if not _is_transient(error) or tries == TRIES:
                    raise self._final(error, tries) from error
                wait = _wait(error, tries, self._jitter())
                if wait >= TOLD:
                    said = self._secrets.redact(_said(error))
                    print(f"{self._what}: {said}; another try in {wait:.0f} s", file=sys.stderr)
                self._pause(wait)
        raise AssertionError("the last try returns or raises")

    def _final(self, error: Exception, tries: int) -> SqlRlError:
        said = self._secrets.redact(_said(error))
        status = _status(error)
        if status in (401, 403) or _is_xet_s_refusal(error):
            return RefusedError(f"{self._what}: refused: {said}; check that HF_TOKEN may write there")
        if _is_transient(error):
            return SqlRlError(f"{self._what}: {said} (after {tries} tries); the same command carries on")
        return SqlRlError(f"{self._what}: {said}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _response(error: Exception):  # -> httpx.Response | None, which is not imported for this
    return next((r for e in _causes(error) if (r := getattr(e, "response", None)) is not None), None)


def _status(error: Exception) -> int | None:
    response = _response(error)
    return None if response is None else response.status_code


def _is_transient(error: Exception) -> bool:
    from httpx import LocalProtocolError, TransportError, UnsupportedProtocol

    status = _status(error)
    if status is not None:
        return status in TRANSIENT or status >= 500
    causes = list(_causes(error))
    if any(isinstance(e, UnsupportedProtocol | LocalProtocolError) for e in causes):
        return False  # nothing was sent, and never will be: HF_ENDPOINT is no address
    return any(isinstance(e, TransportError | ConnectionError | TimeoutError) for e in causes)


def _is_xet_s_refusal(error: Exception) -> bool:
    """hf_xet says so with a PermissionError, which, other than one of a file, has no errno."""
    return any(isinstance(e, PermissionError) and e.errno is None for e in _causes(error))


def _wait(error: Exception, tries: int, jitter: float) -> float:
    """Seconds before the next try: what the Hub asks for, else twice as long each time, and a little by chance."""
    response = _response(error)
    asked = None if response is None else retry_after(response.headers)
    return asked + jitter if asked is not None else min(LONGEST_WAIT, 2.0 ** (tries - 1)) * (0.5 + jitter)


def _said(error: Exception) -> str:
    """What went wrong, in one line: the Hub's own message where it sent one."""
    response = _response(error)
    if response is not None:
        message = response.headers.get("X-Error-Message") or response.reason_phrase
        return f"{response.status_code} {message}"
    root = list(_causes(error))[-1]
    return re.sub(r"\s+", " ", str(root)).strip() or type(root).__name__
