"""Serving an aiohttp application on loopback: in the running loop, from a thread of its own, or as a program."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from aiohttp import web


class Server(Protocol):
    """url: its API, once it is started."""

    @property
    def url(self) -> str: ...

    async def start(self) -> web.AppRunner: ...


def answers_in(path: str | None) -> dict[str, str]:
    """Question -> query, for each row of a dataset that `distill` can read; {} without a path."""
    if path is None:
        return {}
    from sql_rl.sources import open_source

    return {example.question: example.gold for example in open_source(path, "train", None).examples()}


def serve_until_killed(server: Server) -> None:
    """Starts the server and prints its URL, a line of JSON, first."""

    async def serve() -> None:
        await server.start()
        print(json.dumps({"base_url": server.url}), flush=True)
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


async def listen(app: web.Application, port: int) -> web.AppRunner:
    """Opens the port (0: a free one) in the running loop; the runner's first address tells which."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    return runner


@contextlib.contextmanager
def in_a_thread(start: Callable[[], Awaitable[web.AppRunner]]) -> Iterator[None]:
    """Runs what `start` opens until the block ends, on a loop in a thread of its own.

    Raises RuntimeError where it does not open.
    """
    ready, finish = threading.Event(), asyncio.Event()
    loop: asyncio.AbstractEventLoop

    async def serve() -> None:
        nonlocal loop
        loop, runner = asyncio.get_running_loop(), await start()
        ready.set()
        await finish.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    if not ready.wait(60):
        raise RuntimeError("the server does not start")
    try:
        yield
    finally:
        loop.call_soon_threadsafe(finish.set)
        thread.join(10)
