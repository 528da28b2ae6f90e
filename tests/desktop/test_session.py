"""Tests how an agent signs in, chooses a purpose, reveals a value and breaks the glass."""

from __future__ import annotations

import copy
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.desktop.conftest import NOW, Answers, Desk, ada, found, make_catalog, readable
from tests.desktop.test_safety import CONTRAST, SMALL, STRUCTURE, UNNAMED

from roundview_desktop.page import Caller, PageContext, page_context

pytestmark = pytest.mark.browser

ADA = "01980f3a-7c00-7000-8000-0000000000a1"
KEY = "rvk_" + "A" * 43
REASON = "the caller asks: „Geburtstag?“"
ASKED = "/desk?email=a@example.org"
BIRTH = "[data-masked=individual_birthDate]"


def page(caller: Caller, *without: str) -> PageContext:
    """Returns a page for a caller; the birth date and raw numbers are masked."""
    catalog = make_catalog(without=without)
    masked = frozenset({("individual", "birth_date"), ("contact_point_phone", "phone_raw")})
    return page_context(catalog, readable(catalog), caller, masked)


def masked_ada() -> dict[str, Any]:
    """Returns the well-known customer as somebody sees her who sees a birth date's year."""
    answer = copy.deepcopy(ada())
    customer = answer["customer"]
    customer["birthDate"] = customer["individual"]["nodes"][0]["birthDate"] = "1987-01-01"
    origin = {"field": "birth_date", "source": "crm", "sourceKey": "4711", "rule": "trusted"}
    customer["provenance"].append({**origin, "asOf": NOW, "losing": []})
    for node in customer["contactPointPhone"]["nodes"]:
        node["phoneRaw"] = None
    return answer


def shown(*values: tuple[str, str, str, str]) -> dict[str, Any]:
    """Returns the answer to a reveal: (source, sourceKey, slot, value)."""
    until = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    told = [dict(zip(("source", "sourceKey", "slot", "value"), one, strict=True)) for one in values]
    return {
        "data": {
            "reveal": {
                "customerId": ADA, "field": "", "expiresAt": until, "complete": True,
                "missingSources": [], "values": told,
            }
        }
    }  # fmt: skip


async def text_of(desk: Desk, selector: str) -> str:
    """Returns the text of an element as people see it, on one line."""
    text: str = await desk.page.inner_text(selector)
    return " ".join(text.split())


async def say_why(desk: Desk, reason: str = REASON) -> None:
    """Fills the dialog that asks for a reason."""
    await desk.page.wait_for_selector("#why[open]")
    await desk.page.fill("#reason", reason)
    await desk.page.press("#reason", "Enter")


@pytest.fixture
def guarded(answers: Answers) -> Answers:
    """Returns answers that want a key, for an agent of two purposes who may break the glass."""
    who = Caller("agent", ("marketing", "service"), "service", has_login=True, may_break_glass=True)
    answers.context = page(who, "whatsapp_message")
    answers.contexts = {
        "marketing": page(
            Caller(who.name, who.purposes, "marketing", True, True), "support_case", "message"
        ),
        "emergency": page(Caller(who.name, who.purposes, "service", True, True, True)),
    }
    answers.default = masked_ada()
    answers.credentials = frozenset({KEY})
    return answers


@pytest.fixture
async def signed_in(new_desk: Callable[..., Any], guarded: Answers) -> Desk:
    """Opens the customer's page as who signed in."""
    desk: Desk = await new_desk()
    await desk.go(ASKED, "login")
    await desk.page.fill("#credential", KEY)
    await desk.page.press("#credential", "Enter")
    await desk.settled("customer")
    return desk


# -- signing in --------------------------------------------------------------------------------


@pytest.mark.row("A17")
async def test_a_screen_pop_asks_who_is_there_and_then_opens_the_customer(
    new_desk: Callable[..., Any], guarded: Answers
) -> None:
    desk: Desk = await new_desk()
    await desk.go(ASKED, "login")
    assert await text_of(desk, "#login-title") == "Sign in"
    assert guarded.asked == []
    await desk.page.fill("#credential", "rvk_wrong")
    await desk.page.press("#credential", "Enter")
    await desk.page.wait_for_selector("#login-problem:not([hidden])")
    assert "not accepted" in await text_of(desk, "#login-problem")
    await desk.page.fill("#credential", f"  {KEY} ")
    await desk.page.click("#login-form button")
    await desk.settled("customer")
    assert guarded.sent[-1]["authorization"] == f"Bearer {KEY}"
    assert await desk.page.input_value("#credential") == ""
    await desk.page.reload()
    await desk.settled("customer")
    assert (
        await desk.page.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
    )
    for scheme in ("light", "dark"):
        await desk.page.emulate_media(color_scheme=scheme)
        assert (await desk.page.evaluate(CONTRAST))[1] == []


async def test_another_tab_need_not_sign_in_and_signing_out_ends_both(
    signed_in: Desk, guarded: Answers
) -> None:
    second = await signed_in.page.context.new_page()
    await second.goto(guarded.url + ASKED)
    await second.wait_for_selector("body[data-state=customer]")
    await second.click("#sign-out")
    for one in (second, signed_in.page):
        await one.wait_for_selector("body[data-state=login]")
        assert "Lindqvist" not in await one.content()
        assert await one.evaluate("sessionStorage.length") == 0


async def test_whoever_is_signed_out_by_the_server_sees_nobody_any_more(
    signed_in: Desk, guarded: Answers
) -> None:
    guarded.credentials = frozenset({"another"})
    await signed_in.page.keyboard.press("r")
    await signed_in.settled("login")
    assert "Lindqvist" not in await signed_in.page.content()


async def test_the_sign_in_page_can_be_used(new_desk: Callable[..., Any], guarded: Answers) -> None:
    desk: Desk = await new_desk(width=400)
    await desk.go(ASKED, "login")
    for check in (UNNAMED, SMALL):
        assert await desk.page.evaluate(check) == []
    assert await desk.page.evaluate("document.documentElement.scrollWidth") <= 400


# -- purposes ----------------------------------------------------------------------------------


async def test_a_purpose_is_chosen_and_comes_with_every_question(
    signed_in: Desk, guarded: Answers
) -> None:
    assert guarded.sent[-1]["roundview-purpose"] == "service"
    assert await signed_in.page.locator("#section-work").count() == 1
    await signed_in.page.select_option("#purpose", "marketing")
    await signed_in.page.wait_for_selector("#section-work", state="detached")
    assert guarded.sent[-1]["roundview-purpose"] == "marketing"
    assert await signed_in.page.input_value("#purpose") == "marketing"


async def test_who_has_one_purpose_need_not_choose(desk: Desk) -> None:
    await desk.go(ASKED)
    for hidden in ("#purpose-label", "#glass", "#sign-out", "#emergency"):
        assert await desk.page.is_hidden(hidden)
    assert await desk.page.locator(".reveal").count() == 0


async def test_what_is_withheld_without_consent_is_named(desk: Desk, answers: Answers) -> None:
    def reply(withheld: list[dict[str, Any]]) -> Callable[..., Any]:
        status, body = found(ada())
        body["extensions"]["withheld"] = withheld
        return lambda _: (status, body)

    label = {"code": "CONSENT_WITHHELD", "purpose": "marketing", "retryable": False}
    places = (("customer", "email"), ("contactPointEmail", None), ("consent", "topic"))
    withheld = [{**label, "entity": entity, "field": field} for entity, field in places]
    answers.replies["a@example.org"] = reply(withheld)
    answers.replies["b@example.org"] = reply([{**one, "retryable": True} for one in withheld])
    await desk.go(ASKED)
    assert await text_of(desk, ".who .lacking") == (
        "Withheld, no consent to marketing is known: email, contact point email, and topic."
    )
    await desk.search("b@example.org")
    await desk.page.wait_for_selector(".who .lacking:has-text('cannot be read')")
    await desk.search("c@example.org")
    await desk.page.wait_for_selector(".who .lacking", state="detached")


# -- masked values -----------------------------------------------------------------------------


@pytest.mark.row("A17")
async def test_a_masked_value_is_revealed_for_a_reason_and_masked_again(
    signed_in: Desk, guarded: Answers
) -> None:
    page = signed_in.page
    assert "1 Jan 1987 Reveal" in await text_of(signed_in, f".who-line {BIRTH}")
    guarded.revealed = shown(("crm", "4711", "", "1987-04-12"), ("mail", "882", "", "1990-02-03"))
    await page.click(f".who-line {BIRTH} .reveal")
    await say_why(signed_in, " x ")
    await page.wait_for_selector("#why-problem:not([hidden])")
    assert guarded.reveals == []
    await say_why(signed_in)
    await page.wait_for_selector(f".who-line {BIRTH} .revealed-value")
    assert guarded.reveals == [
        {"by": {"customerId": ADA}, "field": "individual_birthDate", "reason": REASON}
    ]
    assert "12 Apr 1987" in await text_of(signed_in, f".who-line {BIRTH}")
    assert await page.evaluate("document.activeElement.textContent") == "Hide"
    records = page.locator(f"#section-records {BIRTH}")
    assert [await one.get_attribute("data-of") for one in await records.all()][:1] == ["crm/4711"]
    assert "12 Apr 1987" in await records.first.text_content()
    assert "3 Feb 1990" in await page.locator(f"{BIRTH}[data-of='mail/882']").first.text_content()
    assert (
        await page.locator("[data-masked=contactPointPhone_phoneRaw] .revealed-value").count() == 0
    )
    # The filter of a timeline draws the page anew, an answer too: what is revealed stays.
    await page.keyboard.press("r")
    await signed_in.settled("customer")
    await page.wait_for_selector(f".who-line {BIRTH} .countdown")
    assert await page.evaluate("sessionStorage.length") == 1
    await page.clock.set_fixed_time("2026-11-25T10:09:02Z")
    await page.wait_for_selector(f".who-line {BIRTH} .revealed-value", state="detached")
    assert "12 Apr 1987" not in await page.content()


async def test_what_is_revealed_is_hidden_at_will_and_not_kept_for_the_next_customer(
    signed_in: Desk, guarded: Answers
) -> None:
    page = signed_in.page
    guarded.revealed = shown(("crm", "4711", "", "1987-04-12"))
    for end in ("hide", "next"):
        await page.click(f".who-line {BIRTH} .reveal")
        await say_why(signed_in)
        await page.wait_for_selector(f".who-line {BIRTH} .revealed-value")
        if end == "hide":
            await page.click(f".who-line {BIRTH} .reveal")
        else:
            guarded.default["customer"]["customerId"] = ADA.replace("a1", "a2")
            await signed_in.search("b@example.org")
            await page.wait_for_url("**a2")
        assert await page.locator(".revealed-value").count() == 0


async def test_a_refused_reveal_says_why_and_shows_nothing(
    signed_in: Desk, guarded: Answers
) -> None:
    error = {"message": "the audit log cannot be written", "extensions": {"rv": "RV310"}}
    guarded.revealed = {"data": {"reveal": None}, "errors": [error]}
    await signed_in.page.click(f".who-line {BIRTH} .reveal")
    await say_why(signed_in)
    await signed_in.page.wait_for_selector("#said:not(:empty)")
    assert "the audit log cannot be written" in await text_of(signed_in, "#said")
    assert await signed_in.page.locator(".revealed-value").count() == 0
    await signed_in.page.click(f".who-line {BIRTH} .reveal")
    await signed_in.page.click("#why-cancel")
    assert len(guarded.reveals) == 1


async def test_revealed_values_are_text_and_the_dialog_can_be_used(
    signed_in: Desk, guarded: Answers
) -> None:
    page = signed_in.page
    guarded.revealed = shown(("crm", "4711", "mobile", "<img src=x onerror='window.broken = 1'>"))
    await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    place = "[data-masked=contactPointPhone_phoneRaw][data-of='crm/4711/mobile']"
    await page.click(f"#section-contact {place} .reveal")
    await page.wait_for_selector("#why[open]")
    for check in (UNNAMED, SMALL, STRUCTURE):
        assert await page.evaluate(check) == []
    await say_why(signed_in)
    await page.wait_for_selector(f"{place} .revealed-value")
    assert "<img src=x" in await page.locator(place).first.text_content()
    assert await page.evaluate("window.broken") is None
    assert await page.evaluate("window.violations") == []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert (await page.evaluate(CONTRAST))[1] == []


# -- emergencies -------------------------------------------------------------------------------


@pytest.mark.row("A17")
async def test_broken_glass_is_never_overlooked_and_ends(signed_in: Desk, guarded: Answers) -> None:
    page = signed_in.page
    assert "roundview-emergency" not in guarded.sent[-1]
    assert await page.locator("#section-entity-whatsapp_message").count() == 0
    await page.click("#glass")
    await say_why(signed_in, "a fire in the house of the caller")
    await page.wait_for_selector("#section-entity-whatsapp_message")
    told = guarded.sent[-1]
    assert told["roundview-emergency"] == "true"
    assert urllib.parse.unquote(told["roundview-reason"]) == "a fire in the house of the caller"
    assert "The glass is broken. Every question raises an alarm" in await text_of(
        signed_in, "#emergency"
    )
    assert await page.is_hidden("#glass")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert (await page.evaluate(CONTRAST))[1] == []
    for check in (UNNAMED, SMALL, STRUCTURE):
        assert await page.evaluate(check) == []
    await page.click("#emergency-end")
    await page.wait_for_selector("#section-entity-whatsapp_message", state="detached")
    assert "roundview-emergency" not in guarded.sent[-1]
    assert await page.is_hidden("#emergency")
    await page.click("#glass")
    await say_why(signed_in)
    await page.wait_for_selector("#emergency:not([hidden])")
    await page.clock.set_fixed_time("2026-11-25T09:16:00Z")
    await page.wait_for_selector("#section-entity-whatsapp_message", state="detached")
    assert "roundview-emergency" not in guarded.sent[-1]


async def test_an_emergency_needs_no_sideways_scrolling(
    new_desk: Callable[..., Any], guarded: Answers
) -> None:
    guarded.credentials = frozenset()
    desk: Desk = await new_desk(width=400)
    await desk.go(ASKED)
    await desk.page.click("#glass")
    await say_why(desk)
    await desk.page.wait_for_selector("#emergency:not([hidden])")
    assert await desk.page.evaluate("document.documentElement.scrollWidth") <= 400
