"""Any server that speaks OpenAI's chat completions: OpenAI itself, or what stands at base_url.

Requests go over aiohttp: its connection pool does not slow down with hundreds of requests in flight and a request
costs under 1 ms of CPU, a fifth of what the SDK takes over httpx (docs/benchmarks.md).
"""

import json
from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.teachers.base import Completion, Request, TimedOut, Transient
from sql_rl.teachers.http import completion, failure
from sql_rl.teachers.quota import Quotas, quotas

OPENAI_URL = "https://api.openai.com/v1"


class OpenAITeacher:
    """One session with `window` connections, kept alive.

    base_url: without it, OpenAI's. The API key in `secrets` may be missing only for a server of one's own.
    timeout: seconds for one request, from sending to the last byte.
    Raises UsageError for a missing key or a base_url that is no URL.
    """

    repeats = False

    def __init__(self, model: str, base_url: str | None, secrets: Secrets, window: int, timeout: float) -> None:
        self._url = _endpoint(base_url or OPENAI_URL)
        if not secrets.api_key and self._url.startswith(OPENAI_URL):
            raise UsageError(
                "API_KEY is missing: put it into .env (template.env) or the environment, or use --base-url"
            )
        self._model, self._secrets = model, secrets
        # OpenAI's reasoning models refuse max_tokens; other servers may not know its successor.
        self._limit_key = "max_completion_tokens" if self._url.startswith(OPENAI_URL) else "max_tokens"
        self._window, self._timeout = window, timeout
        self.quotas: Quotas | None = None

    async def __aenter__(self) -> Self:
        api_key = self._secrets.api_key
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._window, keepalive_timeout=75, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=10),
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {api_key}"} if api_key else {}),
            },
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._session.close()

    def identity(self, request: Request) -> dict[str, object]:
        return {"provider": "openai"}

    async def ask(self, request: Request) -> Completion:
        sampling = request.sampling
        body = {"model": self._model, "messages": request.messages, self._limit_key: sampling.max_tokens}
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        try:
            status, headers, raw = await self._post(json.dumps(body))
        except Transient:
            self.quotas = None
            raise
        self.quotas = quotas(headers)
        if status != 200:
            # Servers repeat the key that they refuse.
            raise failure(status, headers, self._secrets.redact(raw.decode("utf-8", "replace")), self._url)
        try:
            return completion(json.loads(raw))
        except ValueError as error:
            raise Transient(f"{self._url}: the answer is not JSON: {error}") from error

    async def _post(self, body: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer. Raises Transient where there is none, or not all of it."""
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()
        except aiohttp.ConnectionTimeoutError as error:
            raise Transient(f"{self._url}: cannot connect: no answer", connected=False) from error
        except TimeoutError as error:
            raise TimedOut(f"{self._url}: no answer within {self._timeout:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise Transient(f"{self._url}: cannot connect: {error.os_error or error}", connected=False) from error
        except aiohttp.ClientError as error:
            raise Transient(f"{self._url}: {type(error).__name__}: {error}") from error


def _endpoint(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"base_url: {base_url!r} is not allowed: it must be an http:// or https:// URL, up to and with /v1"
        )
    if parts.username or parts.password:
        raise UsageError(f"base_url: credentials do not belong into the URL of {parts.hostname}: put them into API_KEY")
    return base_url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
