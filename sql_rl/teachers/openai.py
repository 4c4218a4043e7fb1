"""Any server that speaks OpenAI's chat completions: OpenAI, Groq, HuggingFace's router, or what stands at base_url.

Requests go over aiohttp rather than an SDK: what the run costs beside the least that such a client has to do stands in
docs/benchmarks.md.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.runs.handles import allow_connections
from sql_rl.teachers.base import Completion, Request, TimedOut, Transient
from sql_rl.teachers.dialects import dialect_of
from sql_rl.teachers.proxies import proxy_of
from sql_rl.teachers.quota import Quotas, quotas
from sql_rl.teachers.reply import answered


class OpenAITeacher:
    """One session with `window` connections, kept alive.

    base_url: without it, the provider's own. The credential in `secrets` may be missing only for a server of one's own.
    timeout: seconds for one request, from sending to the last byte. provider: openai, groq or huggingface.
    service_tier: a class of service by the provider's name for it (Groq's and OpenAI's flex), None for its default.
    stop: strings that end an answer, for a base model, which does not end its own.
    Raises UsageError for a missing key or a base_url that is no URL; when opened, where the process may not have so
    many connections.
    """

    repeats = False

    def __init__(
        self,
        model: str,
        base_url: str | None,
        secrets: Secrets,
        window: int,
        timeout: float,
        provider: str = "openai",
        service_tier: str | None = None,
        stop: Sequence[str] | None = None,
    ) -> None:
        own = base_url and endpoint_of(base_url)
        self._dialect = dialect_of(provider, base_url, secrets)
        self._url = own or endpoint_of(self._dialect.url)
        self._place = self._url.partition("?")[0]  # as it is told: some gateways take a key in the query
        self._proxy = proxy_of(self._url)
        self._model, self._secrets = model, secrets
        self._stop = {"stop": list(stop)} if stop else {}
        self._fields = self._dialect.fields(model) | self._stop
        self._fields |= {"service_tier": service_tier} if service_tier else {}
        self._window, self._timeout = window, timeout
        self._warned = False
        self.quotas: Quotas | None = None

    async def __aenter__(self) -> Self:
        allow_connections(self._window)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._window, keepalive_timeout=75, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=10),
            headers={"Content-Type": "application/json", **self._dialect.headers(self._secrets)},
            proxy=self._proxy,
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._session.close()

    def identity(self, request: Request) -> dict[str, object]:
        return {"provider": self._dialect.name, **self._stop}

    async def ask(self, request: Request) -> Completion:
        try:
            status, headers, raw = await self._post(json.dumps(self.body(request)))
        except Transient:
            self.quotas = None
            raise
        self.quotas = quotas(headers)
        body = raw.decode("utf-8", "replace")
        reply = answered(status, headers, body, self._place, self._dialect.secret, self._secrets.redact)
        self._compare_model(reply.model)
        return reply

    def body(self, request: Request) -> dict[str, Any]:
        """The chat request that asks it, as a server or the Batch API wants it."""
        sampling = request.sampling
        body = {
            "model": self._model,
            "messages": request.messages,
            self._dialect.limit_for(self._model): sampling.max_tokens,
            **self._fields,
        }
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        return body

    async def _post(self, body: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer. Raises Transient where there is none, or not all of it."""
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()
        except aiohttp.ConnectionTimeoutError as error:
            raise Transient(f"{self._place}: cannot connect: no answer", connected=False) from error
        except TimeoutError as error:
            raise TimedOut(f"{self._place}: no answer within {self._timeout:g} s (request_timeout)") from error
        except aiohttp.ClientConnectorError as error:
            raise Transient(f"{self._place}: cannot connect: {error.os_error or error}", connected=False) from error
        except aiohttp.ClientError as error:
            raise Transient(f"{self._place}: {type(error).__name__}: {error}") from error

    def _compare_model(self, answered: str) -> None:
        """Tells once that another model answers than was asked; rows carry the name of the one that did."""
        if self._warned or is_model(answered, self._model):
            return
        self._warned = True
        print(f"warning: {self._model} was asked, {answered} answers; rows say so in model_name", file=sys.stderr)


def is_model(answered: str, asked: str) -> bool:
    """Whether a provider's name for who answered means the model that was asked; '' is no name and says nothing.

    Owners are left out by some (openai/gpt-oss-20b, gpt-oss-20b), dates and tags added (gpt-4.1-nano-2025-04-14,
    llama3:latest), a route is dropped (Qwen/Qwen3-32B:groq).
    """
    if answered in ("", asked):
        return True
    asked, answered = asked.rpartition("/")[2].casefold(), answered.rpartition("/")[2].casefold()
    name = re.escape(re.sub(r":[a-z][\w-]*$", "", asked))
    return re.fullmatch(rf"{name}([-:@](\d{{4}}[\w.-]*|latest|preview|free))?", answered) is not None


def endpoint_of(base_url: str) -> str:
    """Where completions are asked for; a query (Azure's api-version) stays at the end."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # read here for what it raises
    except ValueError:  # whose words may hold the credentials of a URL that has them
        raise UsageError("base_url: its host or port cannot be read; it must be like http://host:8000/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"base_url: {base_url!r} is not allowed: it must be an http:// or https:// URL, up to and with /v1"
        )
    if parts.username or parts.password:
        raise UsageError(f"base_url: credentials do not belong into the URL of {parts.hostname}: put them into API_KEY")
    path = parts.path.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
