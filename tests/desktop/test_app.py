"""Tests how the page and its files are served."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from tests.desktop.conftest import Answers, make_catalog, readable

from roundview_desktop.page import Caller, page_context

STATIC = Path(__file__).parents[2] / "desktop" / "roundview_desktop" / "static"


async def get(answers: Answers, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(answers.url + path, headers=headers)


async def test_the_page_is_never_stored_and_runs_under_a_strict_policy(answers: Answers) -> None:
    response = await get(answers, "/desk")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", response.text)
    assert not re.search(r"""(?:src|href)="(?!/desk|#)""", response.text)


async def test_a_screen_pop_starts_as_loading_so_that_nothing_jumps(answers: Answers) -> None:
    assert 'data-state="idle"' in (await get(answers, "/desk")).text
    assert 'data-state="loading"' in (await get(answers, "/desk?order_number=1")).text
    assert 'data-state="idle"' in (await get(answers, "/desk?campaign=1")).text


async def test_files_are_revalidated_by_their_hash(answers: Answers) -> None:
    for path in ("/desk/desk.js", "/desk/desk.css", "/desk/icon.svg", "/desk/context"):
        first = await get(answers, path)
        assert first.status_code == 200
        assert first.headers["x-content-type-options"] == "nosniff"
        again = await get(answers, path, **{"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
    assert (await get(answers, "/desk/desk.html")).status_code == 404
    assert (await get(answers, "/desk/../app.py")).status_code == 404


async def test_settings_follow_the_catalog(answers: Answers) -> None:
    before = await get(answers, "/desk/context")
    catalog = make_catalog(version="v2", without=("whatsapp_message",))
    answers.context = page_context(catalog, readable(catalog))
    after = await get(answers, "/desk/context", **{"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    names = [entity["name"] for entity in after.json()["entities"]]
    assert "whatsapp_message" not in names


async def test_names_of_a_catalog_cannot_break_out_of_the_page(answers: Answers) -> None:
    catalog = make_catalog(version="\"><script>alert(1)</script>{{state}}'&quot;")
    answers.context = page_context(catalog, readable(catalog), Caller('"<b>'))
    text = (await get(answers, "/desk")).text
    assert "<script>alert" not in text
    assert "<b>" not in text
    content = re.search(r'name="roundview-settings" content="([^"]*)"', text)
    assert content is not None


def test_the_page_is_small_and_sets_text_only() -> None:
    scripts = {path.name: path.read_text() for path in STATIC.glob("*.js")}
    assert sum(len(text.encode()) for text in scripts.values()) <= 100_000
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b"
        r"|new Function|srcdoc"
    )
    for name, text in scripts.items():
        assert not re.search(forbidden, text), name
        assert "http" + "://" not in text, name
        assert len(text.splitlines()) <= 400, name


@pytest.mark.parametrize(
    ("entity", "at"),
    [
        ("sales_order", "orderedAt"),
        ("support_case", "openedAt"),
        ("whatsapp_message", "sentAt"),
        ("contact_point_email", ""),
        ("individual", ""),
    ],
)
def test_what_dates_a_row_on_the_timeline(entity: str, at: str) -> None:
    catalog = make_catalog()
    settings = json.loads(page_context(catalog, readable(catalog)).settings)
    assert {one["name"]: one["at"] for one in settings["entities"]}[entity] == at
