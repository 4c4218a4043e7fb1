"""Serving an aiohttp application on loopback, in the running loop or from a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import web


async def listen(app: web.Application, port: int) -> web.AppRunner:
    """Opens the port (0: a free one) in the running loop; the runner's first address tells which."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    return runner


@contextlib.contextmanager
def in_a_thread(start: Callable[[], Awaitable[web.AppRunner]]) -> Iterator[None]:
    """Runs what `start` opens until the block ends, on a loop in a thread of its own."""
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
    ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(finish.set)
        thread.join(10)
