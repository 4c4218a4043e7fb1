"""The proxy of the environment: a table, and a real one on the way."""

import pytest
from aiohttp import web

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.examples import Example
from sql_rl.teachers.base import Request, Sampling
from sql_rl.teachers.openai import OpenAITeacher
from sql_rl.teachers.proxies import proxy_of
from sql_rl.testing.chat_server import chat_completion
from sql_rl.testing.serving import listen

NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://api.example/v1", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://api.example/v1", "http://p:3128"),
        ({"https_proxy": "p:3128"}, "https://api.example/v1", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://api.example/v1", None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ".example"}, "https://api.example/v1", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://gpu-7:8000/v1", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, "http://localhost:8000/v1", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://127.0.0.1:8000/v1", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://[::1]:8000/v1", None),
        ({"HTTP_PROXY": "socks5://p:1080"}, "http://localhost:8000/v1", None),
    ],
)
def test_proxy_of(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], url: str, proxy: str | None):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == proxy


def test_a_proxy_of_another_kind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:secret@p:1080")
    with pytest.raises(UsageError, match=r"HTTPS_PROXY: socks5:// proxies .* put api\.example into NO_PROXY") as caught:
        proxy_of("https://api.example/v1")
    assert "secret" not in str(caught.value)


async def test_requests_go_through_it(monkeypatch: pytest.MonkeyPatch):
    seen = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append((str(request.url), request.headers["Proxy-Authorization"], request.headers["Authorization"]))
        return web.json_response(chat_completion(await request.json(), "x"))

    server = web.Application()
    server.router.add_route("*", "/{any:.*}", handle)
    runner = await listen(server, 0)
    monkeypatch.setenv("HTTP_PROXY", f"http://user:pass@127.0.0.1:{runner.addresses[0][1]}")
    example = Example(row=0, id="0", question="q", context="c", gold="g")
    request = Request(example, [{"role": "user", "content": "q"}], Sampling(None, 99, None), 0)
    async with OpenAITeacher("m", "http://api.example/v1", Secrets(api_key="k"), 1, 5.0) as teacher:
        assert (await teacher.ask(request)).text == "x"
    await runner.cleanup()
    assert seen == [("http://api.example/v1/chat/completions", "Basic dXNlcjpwYXNz", "Bearer k")]
