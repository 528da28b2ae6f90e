"""Tests that values stay text, that the page is readable by everyone, and that nothing jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.desktop.conftest import Answers, Desk, ada

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.broken=1</script>",
    "<img src=x onerror=window.broken=1>",
    '"><svg onload=window.broken=1>',
    "'-window.broken=1-'",
    "javascript:window.broken=1",
    "{{constructor.constructor('window.broken=1')()}}",
    "</title><style>*{display:none}</style>",
    "&lt;b&gt;\u202egnp.exe\u0000",
    "<a href=//evil.example>x</a><iframe srcdoc=x></iframe>",
)


def poisoned(value: Any, text: str) -> Any:
    """Returns the answer with every free text replaced; keys, codes and times stay."""
    if isinstance(value, dict):
        kept = {"customerId", "linkState", "source", "name", "status", "asOf", "ageMs", "field"}
        return {
            key: one if key in kept or key.endswith("At") else poisoned(one, text)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [poisoned(one, text) for one in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("text", HOSTILE)
async def test_values_of_sources_are_text_and_never_markup(
    desk: Desk, answers: Answers, text: str
) -> None:
    answer = ada()
    tags = "() => [...document.querySelectorAll('main *')].map(n => n.tagName).sort().join()"
    answers.default["customer"] = poisoned(answer["customer"], text)
    for source in answers.default["sources"]:
        source |= {"status": "partial", "reason": text}
    await desk.go("/desk?email=a@example.org")
    await desk.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    used = set((await desk.page.evaluate(tags)).split(","))
    assert not used & {"SCRIPT", "IMG", "IFRAME", "STYLE", "svg", "SVG", "OBJECT"}
    assert await desk.page.evaluate("window.broken") is None
    hrefs = await desk.page.evaluate(
        "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
    )
    assert all(href.startswith(("#record-", "/desk", "#main")) for href in hrefs)
    shown = await desk.page.text_content("#name")
    assert text.replace("\u0000", "") in shown.replace("\u0000", "").replace("\ufffd", "")


def wholly_poisoned(value: Any, text: str) -> Any:
    """Returns the answer with every text replaced, keys, codes and times too."""
    if isinstance(value, dict):
        return {key: wholly_poisoned(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [wholly_poisoned(one, text) for one in value]
    return text if isinstance(value, str) else value


async def test_names_keys_and_codes_of_an_answer_are_text_too(desk: Desk, answers: Answers) -> None:
    text = "javascript:window.broken=1//\"'><img src=x onerror=window.broken=1></script>"
    answers.default = wholly_poisoned(ada(), text)
    await desk.go("/desk?email=a@example.org")
    await desk.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert await desk.page.evaluate(ACTIVE) == []
    assert await desk.page.evaluate("window.broken") is None


async def test_marks_that_reverse_text_stay_inside_their_value(
    desk: Desk, answers: Answers
) -> None:
    answers.default["customer"]["fullName"] = "\u202eevil gnp.exe\u2067" + "W" * 100_000
    await desk.go("/desk?email=a@example.org")
    await desk.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert await desk.page.evaluate(NOT_ISOLATED) == []
    title = await desk.page.title()
    assert title.startswith("evil gnp.exe")
    assert title.endswith("· Roundview desk")
    assert len(title) < 200


async def test_hostile_identifiers_are_text_too(desk: Desk, answers: Answers) -> None:
    nobody = {"data": {"customer": None}, "extensions": {"complete": True, "sources": []}}
    await desk.go("/desk", "idle")
    for text in HOSTILE[:3]:
        clean = text.replace("\u0000", "")
        answers.replies[clean] = lambda by: (200, nobody)
        await desk.search(clean, "notice")
        await desk.page.wait_for_selector(".echo")
        assert await desk.page.text_content(".echo") == clean
    assert await desk.page.evaluate("window.broken") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_has_contrast(new_desk: Callable[..., Any], scheme: str) -> None:
    desk: Desk = await new_desk(scheme=scheme)
    await desk.go("/desk?email=a@example.org")
    await desk.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    checked, weak = await desk.page.evaluate(CONTRAST)
    assert checked > 150
    assert weak == []


async def test_everything_that_can_be_used_has_a_name_a_size_and_a_visible_focus(
    desk: Desk,
) -> None:
    await desk.go("/desk?email=a@example.org")
    assert await desk.page.evaluate(UNNAMED) == []
    assert await desk.page.evaluate(SMALL) == []
    assert await desk.page.evaluate(STRUCTURE) == []
    await desk.page.keyboard.press("Tab")
    outline = await desk.page.evaluate(
        "(() => { const s = getComputedStyle(document.activeElement);"
        " return [s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
    )
    assert outline[0] == "solid"
    assert outline[1] >= 2


@pytest.mark.parametrize("text", ["", "W" * 200])
async def test_four_hundred_pixels_need_no_sideways_scrolling(
    new_desk: Callable[..., Any], answers: Answers, text: str
) -> None:
    desk: Desk = await new_desk(width=400)
    if text:
        answers.default["customer"] = poisoned(answers.default["customer"], text)
    await desk.go("/desk?email=a@example.org")
    for opens in (False, True):
        await desk.page.evaluate(
            "open => document.querySelectorAll('details').forEach(d => d.open = open)", opens
        )
        await desk.page.focus("#name .value")
        assert await desk.page.evaluate(TOO_WIDE) == []
    left = await desk.page.evaluate(
        "new Set([...document.querySelectorAll('.panel')]"
        ".map(p => Math.round(p.getBoundingClientRect().left))).size"
    )
    assert left == 1


async def test_nothing_jumps_while_a_screen_pop_loads(desk: Desk) -> None:
    await desk.page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries()"
        ".forEach(e => window.shift += e.value)).observe({type: 'layout-shift', buffered: true});"
    )
    await desk.go("/desk?phone=%2B4930901820")
    await desk.page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert await desk.page.evaluate("window.shift") <= 0.02


async def test_nothing_about_the_customer_stays_in_the_browser(desk: Desk) -> None:
    await desk.go("/desk?phone=%2B4930901820")
    await desk.page.keyboard.press("j")
    kept = await desk.page.evaluate(
        "[localStorage.length, sessionStorage.length, document.cookie, location.search]"
    )
    assert kept[:3] == [0, 0, ""]
    assert kept[3].startswith("?customer_id=")


# Contrast of WCAG 2.2 (1.4.3): relative luminance of the text against what is painted behind it.
CONTRAST = """() => {
  const parse = text => {
    const p = text.match(/[\\d.]+/g).map(Number);
    return {c: p.slice(0, 3), a: p.length > 3 ? p[3] : 1};
  };
  const light = c => {
    const [r, g, b] = c.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const {c, a} = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return c;
    }
    return [255, 255, 255];
  };
  const weak = [];
  let checked = 0;
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest('.unseen, .skip, noscript')) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(parse(style.color).c), light(behind(node))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    checked += 1;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) {
      weak.push(`${node.tagName}.${node.className}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
    }
  }
  return [checked, weak];
}"""

ACTIVE = """() => [...document.querySelectorAll('body *')].filter(n =>
    ['SCRIPT', 'IMG', 'IFRAME', 'STYLE', 'OBJECT', 'EMBED', 'svg'].includes(n.tagName)
    || [...n.attributes].some(a => a.name.startsWith('on') || a.name === 'style')
    || n.href && !n.href.startsWith(location.origin))
  .map(n => n.outerHTML.slice(0, 120))"""

NOT_ISOLATED = """() => [...document.querySelectorAll('main *')].filter(n =>
    [...n.childNodes].some(c => c.nodeType === 3 && c.textContent.trim())
    && getComputedStyle(n).unicodeBidi === 'normal' && getComputedStyle(n).display === 'inline')
  .map(n => `${n.tagName}.${n.className}`)"""

TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll('body *')]
    .filter(n => n.checkVisibility() && n.getBoundingClientRect().right > innerWidth + 1)
    .map(n => `${n.tagName}.${n.className}`).slice(0, 20)"""

UNNAMED = """() => [...document.querySelectorAll('a, button, input, select, summary, dialog')]
  .filter(n => !(n.getAttribute('aria-label') || n.textContent.trim()
    || (n.labels && n.labels.length) || n.getAttribute('aria-labelledby')))
  .map(n => n.outerHTML)"""

SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')]
  .filter(n => n.checkVisibility() && !n.closest('.skip'))
  .filter(n => { const r = n.getBoundingClientRect(); return r.width < 24 || r.height < 24; })
  .map(n => n.outerHTML.slice(0, 120))"""

STRUCTURE = """() => {
  const wrong = [];
  const one = (selector, what) => {
    const found = [...document.querySelectorAll(selector)].filter(n => n.checkVisibility());
    if (found.length !== 1) wrong.push(`${found.length} ${what}`);
  };
  one('main', 'main'); one('h1', 'h1'); one('[role=search]', 'search');
  one('[role=status][aria-live=polite]', 'status');
  if (!document.documentElement.lang) wrong.push('no lang');
  if (!document.title.includes('Ada')) wrong.push('title');
  const ids = [...document.querySelectorAll('[id]')].map(n => n.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => wrong.push(`id twice: ${id}`));
  for (const node of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
    for (const name of ['aria-labelledby', 'aria-describedby']) {
      const id = node.getAttribute(name);
      if (id && !document.getElementById(id)) wrong.push(`${name} ${id}`);
    }
  }
  let level = 0;
  for (const node of document.querySelectorAll('main h1, main h2, main h3')) {
    if (!node.checkVisibility()) continue;
    const own = Number(node.tagName[1]);
    if (level && own > level + 1) wrong.push(`heading ${node.textContent}`);
    level = own;
  }
  for (const node of document.querySelectorAll('ul > *, ol > *')) {
    if (node.tagName !== 'LI') wrong.push(`list child ${node.tagName}`);
  }
  return wrong;
}"""
