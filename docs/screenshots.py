"""Decides which pictures of the desk the docs show; `make docs` runs it against a demo.

python docs/screenshots.py "http://127.0.0.1:8360/desk?phone=…" docs/img
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.async_api import async_playwright

PICTURES: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
    ("desk.png", 1280, 800, "light"),
    ("desk-dark.png", 1280, 800, "dark"),
    ("desk-narrow.png", 400, 800, "light"),
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


async def take(url: str, folder: Path) -> None:
    """Writes every picture of one customer's desk into the folder."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium on this machine: the pictures stay as they are")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for name, width, height, scheme in PICTURES:
            page = await browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                locale="en-GB",
                reduced_motion="reduce",
            )
            await page.goto(url)
            await page.wait_for_selector("body[data-state=customer]")
            await page.screenshot(path=folder / name)
            await page.close()
        await browser.close()


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    asyncio.run(take(sys.argv[1], Path(sys.argv[2])))
