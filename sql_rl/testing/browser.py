"""A real headless Chromium, driven by the DevTools protocol, for the tests of reports and for their screenshots.

The protocol: https://chromedevtools.github.io/devtools-protocol/ (domains Page, Runtime, Emulation, Input, Log).
"""

import asyncio
import base64
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")  # Debian's, other systems'
PATIENCE = 60.0  # seconds for anything, on a busy machine
_FLAGS = ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
          "--disable-background-networking", "--disable-extensions", "--remote-debugging-port=0")  # fmt: skip


def installed() -> str | None:
    """The browser's program, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserPage:
    """A page. problems: what its console said of errors and warnings, and exceptions that nothing caught."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.problems: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command. Raises RuntimeError where it is refused, TimeoutError where nothing comes."""
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            reply = await answered
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    async def open(self, url: str) -> None:
        """Goes there, and waits until it has loaded."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE):
            await self._loaded.wait()

    async def value(self, expression: str) -> Any:
        """What JavaScript gives, awaited if it is a promise. Raises RuntimeError for what it throws."""
        reply = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"]["exception"].get("description", "an exception"))
        return reply["result"].get("value")

    async def until(self, expression: str, seconds: float = PATIENCE) -> None:
        """Waits until the expression is true. Raises TimeoutError."""
        look = f"const look = () => ({expression}) ? done(true) : setTimeout(look, 20)"
        async with asyncio.timeout(seconds):
            await self.value(f"new Promise((done) => {{ {look}; look(); }})")

    async def resize(self, width: int, height: int, mobile: bool = False) -> None:
        """The size of the page in CSS pixels."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )

    async def prefer(self, scheme: str) -> None:
        """What the system is said to prefer: light or dark."""
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def picture(self) -> bytes:
        """A PNG of what is seen."""
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])

    async def close(self) -> None:
        self._reading.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            content = message.json()
            if "id" in content:
                self._waiting.pop(content["id"]).set_result(content)
            else:
                self._note(content["method"], content["params"])

    def _note(self, method: str, parameters: Mapping[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.exceptionThrown":
                self.problems.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.problems.append(str(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.problems.append(parameters["entry"]["text"])


@asynccontextmanager
async def browser() -> AsyncIterator[BrowserPage]:
    """A page of a browser that ends with the block. Raises RuntimeError where there is none that starts."""
    program = installed()
    if program is None:
        raise RuntimeError(f"no browser: none of {', '.join(NAMES)} is installed")
    with tempfile.TemporaryDirectory(prefix="sql-rl-browser-", ignore_cleanup_errors=True) as home:
        # Its own sandbox is not to be had by root, and not in most containers.
        process = await asyncio.create_subprocess_exec(
            program, *_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--user-data-dir={home}",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await asyncio.to_thread(_port, Path(home) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    target = next(t for t in await answer.json() if t["type"] == "page")
                socket = await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
                page = BrowserPage(socket)
                try:
                    for domain in ("Page", "Runtime", "Log"):
                        await page.send(f"{domain}.enable")
                    yield page
                finally:
                    await page.close()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    """The port, once the browser has written it down."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.returncode is None:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise RuntimeError(f"the browser does not come up (within {PATIENCE:g} s)")
