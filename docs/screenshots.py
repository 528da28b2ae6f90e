"""Decides which pictures of the desk the docs show: `make docs` runs it over a fresh demo.

python docs/screenshots.py                                       starts its own demo
python docs/screenshots.py "http://127.0.0.1:8360/desk?phone=…"  uses a running one
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from playwright.async_api import async_playwright

FOLDER = Path(__file__).parent / "img"
PICTURES: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
    ("desk.png", 1280, 800, "light"),
    ("desk-dark.png", 1280, 800, "dark"),
    ("desk-narrow.png", 400, 800, "light"),
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
START_SECONDS = 120
PORT = "8379"


async def take(url: str, chromium: str) -> None:
    """Writes every picture of one customer's desk."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for name, width, height, scheme in PICTURES:
            page = await browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                locale="en-GB",
                timezone_id="Europe/Berlin",
                reduced_motion="reduce",
            )
            # The first answer of a server compiles; the picture shows the second one.
            for _ in range(2):
                await page.goto(url)
                await page.wait_for_selector("body[data-state=customer]")
            await page.screenshot(path=FOLDER / name)
            await page.close()
        await browser.close()


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """Serves a demo of its own and yields the address of one customer's desk."""
    command = Path(sys.executable).with_name("roundview")
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            command, "demo", "--dir", folder, "--port", PORT, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                url = await address(process)
            yield url
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def address(process: asyncio.subprocess.Process) -> str:
    """Returns the link with an identifier that a starting demo prints."""
    while process.stdout is not None and (line := await process.stdout.readline()):
        found = re.search(rb"http\S+/desk\?\S+", line)
        if found:
            return found.group().decode()
    raise SystemExit("the demo did not start")


async def main() -> None:
    """Takes the pictures of a given desk, or of a demo of its own."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium on this machine: the pictures stay as they are")
    if len(sys.argv) > 1:
        await take(sys.argv[1], chromium)
        return
    async with demo() as url:
        await take(url, chromium)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    asyncio.run(main())
