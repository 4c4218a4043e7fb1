"""Screenshots of reports, as they stand in docs/screenshots: `python tools/screenshots.py OUT NAME=RUN_FOLDER…`.

Each folder's report.html gives NAME.png (light, the top), NAME-rows.png (a row opened, dark) and NAME-phone.png.
"""

import asyncio
import sys
from pathlib import Path

from sql_rl.testing.browser import BrowserPage, browser

WIDTH, HEIGHT = 1200, 900
PHONE = (390, 844)


async def take(page: BrowserPage, name: str, url: str, out: Path) -> None:
    await page.resize(WIDTH, HEIGHT)
    await page.prefer("light")
    await page.open(url)
    has_rows = await page.value("document.getElementById('packed') !== null")
    if has_rows:
        await page.until("document.querySelectorAll('#list li').length > 0")
    (out / f"{name}.png").write_bytes(await page.picture())
    await page.resize(*PHONE, mobile=True)
    (out / f"{name}-phone.png").write_bytes(await page.picture())
    await page.resize(WIDTH, HEIGHT)
    await page.prefer("dark")
    if has_rows:
        await page.value(
            "document.querySelector('#list summary').click(); document.getElementById('rows').scrollIntoView()"
        )
        await page.until("document.querySelector('#list .body') !== null")
        (out / f"{name}-rows.png").write_bytes(await page.picture())
    if page.problems:
        raise RuntimeError(f"{url}: {page.problems}")


async def main(out: Path, urls: dict[str, str]) -> None:
    async with browser() as page:
        for name, url in urls.items():
            await take(page, name, url, out)


if __name__ == "__main__":
    folder, *named = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    runs = (given.partition("=") for given in named)
    asyncio.run(main(Path(folder), {name: (Path(run).resolve() / "report.html").as_uri() for name, _, run in runs}))
