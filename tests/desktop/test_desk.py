"""Tests what an agent sees and can do, in a real browser."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.desktop.conftest import Answers, Desk, ada, found, make_catalog, readable

from roundview_desktop.page import Caller, page_context

pytestmark = pytest.mark.browser

ADA = "01980f3a-7c00-7000-8000-0000000000a1"
BEN = "01980f3a-7c00-7000-8000-0000000000b2"


def nobody(errors: list[dict[str, Any]] | None = None, failed: str = "") -> Callable[..., Any]:
    """Returns a reply that finds no customer."""
    answer = {"customer": None, "sources": states(failed)}
    return lambda by: found(answer, errors)


def states(failed: str) -> list[dict[str, Any]]:
    """Returns the source states with one source failed."""
    sources: list[dict[str, Any]] = ada()["sources"]
    for source in sources:
        if source["name"] == failed:
            source |= {"status": "failed", "rows": 0, "asOf": None, "ageMs": None}
            source |= {"code": "SOURCE_TIMEOUT", "reason": "did not answer in time"}
    return sources


def without_support() -> tuple[int, dict[str, Any]]:
    """Returns the well-known customer as seen while the support system is down."""
    answer = copy.deepcopy(ada())
    answer["sources"] = states("support")
    errors = []
    for key in ("supportCase", "message", "surveyResponse", "whatsappMessage"):
        answer["customer"][key] = None
        extensions = {"code": "SOURCE_TIMEOUT", "source": "support", "retryable": True}
        errors.append({"message": "no answer", "path": ["customer", key], "extensions": extensions})
    people = answer["customer"]["individual"]
    people["nodes"].pop()
    people |= {"complete": False, "missingSources": ["support"]}
    return found(answer, errors)


async def text_of(desk: Desk, selector: str) -> str:
    """Returns the text of an element as people see it, on one line."""
    text: str = await desk.page.inner_text(selector)
    return " ".join(text.split())


# -- one, several, none ------------------------------------------------------------------------


@pytest.mark.row("B1")
async def test_a_screen_pop_opens_the_customer(desk: Desk, answers: Answers) -> None:
    await desk.go("/desk?phone=%2B49%2030%20901820")
    assert answers.asked == [("phone", {"phone": "+49 30 901820"})]
    assert await text_of(desk, "#name") == "Ada Lindqvist"
    assert desk.page.url.endswith(f"/desk?customer_id={ADA}")
    status = await text_of(desk, "#status")
    assert status == "Ada Lindqvist found. All 4 systems answered."


@pytest.mark.row("B9")
async def test_the_first_look_answers_who_why_value_feel_may_i_and_known(desk: Desk) -> None:
    await desk.go("/desk?email=ada.lindqvist@example.org")
    assert "Linked" in await text_of(desk, ".who-title")
    assert "Gold" in await text_of(desk, ".who-title")
    why = await text_of(desk, ".answer-why")
    assert "Kettle leaks at the handle" in why
    assert "Order N-58113" in why
    assert "Where is my invoice?" not in why
    assert "Last contact 12 hours ago by email" in why
    value = await text_of(desk, ".answer-value")
    assert "€759.65" in value
    assert "kr 1,290.00" in value
    assert "in 6 orders" in value
    assert "2 online, 3 store" in value
    assert "2 / 5 Unhappy" in await text_of(desk, ".answer-feel")
    may = await text_of(desk, ".answer-may")
    assert may == "May I contact Email Yes Phone No SMS Not known"
    assert "Phone (2)" in await text_of(desk, ".answer-known")


async def test_several_customers_are_a_choice_and_never_opened(
    desk: Desk, answers: Answers
) -> None:
    candidates = [{"customerId": ADA, "hint": "A… L…, Berlin"}, {"customerId": BEN, "hint": "B…"}]
    extensions = {"code": "IDENTITY_AMBIGUOUS", "candidates": candidates}
    error = {"message": "several", "path": ["customer"], "extensions": extensions}
    answers.replies["030 901820"] = nobody([error])
    await desk.go("/desk?phone=030%20901820", "notice")
    assert await text_of(desk, "#notice-title") == "2 customers match"
    assert "A… L…, Berlin" in await text_of(desk, "#notice")
    assert await desk.page.is_hidden("#customer")
    await desk.page.click(".candidate >> nth=1")
    await desk.settled("customer")
    assert answers.asked[-1] == ("customerId", {"customerId": BEN})


async def test_nobody_found_says_so_and_which_system_could_not_be_asked(
    desk: Desk, answers: Answers
) -> None:
    answers.replies["x@example.org"] = nobody()
    await desk.go("/desk?email=x@example.org", "notice")
    assert "Nobody found" in await text_of(desk, "#notice")
    assert "did not answer" not in await text_of(desk, "#notice")
    answers.replies["y@example.org"] = nobody(failed="support")
    await desk.search("y@example.org", "notice")
    await desk.page.wait_for_selector("#notice .lacking")
    assert "Support desk did not answer: the customer may be known" in await text_of(
        desk, "#notice"
    )


async def test_a_number_of_unknown_kind_is_tried_as_every_kind_it_may_be(
    desk: Desk, answers: Answers
) -> None:
    def order_only(by: dict[str, str]) -> tuple[int, dict[str, Any]]:
        return found(ada()) if "orderNumber" in by else nobody()(by)

    answers.replies["N-58113"] = order_only
    await desk.go("/desk", "idle")
    await desk.search("N-58113")
    assert {kind for kind, _ in answers.asked[:-1]} == {
        "orderNumber", "caseNumber", "loyaltyNo", "accountNo",
    }  # fmt: skip
    assert answers.asked[-1] == ("orderNumber", {"orderNumber": "N-58113"})


async def test_a_number_that_is_two_peoples_is_a_choice(desk: Desk, answers: Answers) -> None:
    def two(by: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if "orderNumber" in by:
            return found(ada())
        if "caseNumber" in by:
            other = ada()
            other["customer"] |= {"customerId": BEN, "fullName": "Ben Okoro"}
            return found(other)
        reply: tuple[int, dict[str, Any]] = nobody()(by)
        return reply

    answers.replies["1001"] = two
    await desk.go("/desk", "idle")
    await desk.search("1001", "notice")
    text = await text_of(desk, "#notice")
    assert "2 customers match" in text
    assert "Ben Okoro by ticket number" in text
    assert "Ada Lindqvist by order or receipt" in text


async def test_a_chosen_kind_is_the_only_one_asked(desk: Desk, answers: Answers) -> None:
    await desk.go("/desk", "idle")
    await desk.page.select_option("#kind", "loyalty_no")
    await desk.search("204481")
    assert answers.asked == [("loyaltyNo", {"loyaltyNo": "204481"})]


@pytest.mark.parametrize(
    ("typed", "value", "groups"),
    [
        (" Ada@Example.org ", "Ada@Example.org", [["email"]]),
        ("+49 (0)30 / 90 18 20", "+49 (0)30 / 90 18 20", [["phone"]]),
        ("0049 30 901820", "0049 30 901820", [["phone"]]),
        ("\u202e\uff0b\uff14\uff19 30 901820\u200f", "+49 30 901820", [["phone"]]),
        ("030 901820", "030 901820", [["phone"], "numbers"]),
        ("4930901820", "4930901820", ["phone and numbers"]),
        ("#204417", "204417", [["order_number", "case_number"], ["loyalty_no", "account_no"]]),
        ("ticket: 204417", "204417", [["case_number"]]),
        ("order=12", "12", [["order_number"]]),
        (ADA, ADA, [["customer_id"]]),
        ("@ada", "@ada", [["social_handle"]]),
        ("NC-204481", "NC-204481", ["numbers", ["social_handle"]]),
    ],
)
async def test_the_kind_is_guessed_from_the_text(
    desk: Desk, typed: str, value: str, groups: list[Any]
) -> None:
    numbers = ["order_number", "case_number", "loyalty_no", "account_no"]
    words = {"numbers": numbers, "phone and numbers": ["phone", *numbers]}
    expected = [words[g] if isinstance(g, str) else g for g in groups]
    await desk.page.goto(desk.answers.url + "/desk")
    guessed = await desk.page.evaluate(
        "async text => { const {guess} = await import('/desk/lookup.js');"
        " const {content} = document.querySelector('meta[name=roundview-settings]');"
        " return guess(text, JSON.parse(content).kinds); }",
        typed,
    )
    assert guessed == {"value": value, "groups": expected}


# -- what is missing ---------------------------------------------------------------------------


@pytest.mark.row("E2")
async def test_a_missing_system_is_named_and_the_rest_stays(desk: Desk, answers: Answers) -> None:
    answers.replies["a@example.org"] = lambda by: without_support()
    await desk.go("/desk?email=a@example.org")
    chip = await text_of(desk, ".chip-failed")
    assert chip == "Support desk failed: did not answer in time"
    assert "€759.65" in await text_of(desk, ".answer-value")
    assert "Without Support desk" in await text_of(desk, ".answer-why")
    assert "Without Support desk" in await text_of(desk, ".answer-feel")
    work = await text_of(desk, "#section-work")
    assert work == "Open work 1 Support desk did not answer, so this is not known."
    assert "Not known" in await text_of(desk, ".answer-feel")
    records = await text_of(desk, "#section-records")
    assert "Incomplete: Support desk did not answer." in records
    assert "3 of 4 systems answered in full" in await text_of(desk, "#status")


async def test_a_yes_is_unconfirmed_while_a_system_with_consents_is_silent(
    desk: Desk, answers: Answers
) -> None:
    answers.default["customer"]["consent"] |= {"complete": False, "missingSources": ["crm"]}
    answers.default["customer"]["salesOrder"] |= {"complete": False, "missingSources": ["x"]}
    await desk.go("/desk?email=a@example.org")
    may = await text_of(desk, ".answer-may")
    assert may == "May I contact Email Unconfirmed Phone No SMS Not known Without CRM"
    assert "at least €759.65" in await text_of(desk, ".answer-value")


async def test_topics_do_not_overrule_the_channel_and_fill_in_where_it_is_silent(
    desk: Desk, answers: Answers
) -> None:
    nodes = answers.default["customer"]["consent"]["nodes"]
    topic = {"source": "crm", "sourceKey": "1", "scope": "topic", "channel": "sms"}
    nodes += [
        {**topic, "slot": "a", "topic": "Offers", "status": "opt_in"},
        {**topic, "slot": "b", "topic": "News", "status": "opt_out"},
        {"source": "crm", "sourceKey": "1", "scope": "purpose", "status": "opt_in"},
    ]
    await desk.go("/desk?email=a@example.org")
    may = await text_of(desk, ".answer-may")
    assert may == "May I contact Email Yes Phone No SMS Some topics"


async def test_one_address_in_several_systems_is_one_row(desk: Desk, answers: Answers) -> None:
    emails = answers.default["customer"]["contactPointEmail"]["nodes"]
    emails.append({"source": "crm", "sourceKey": "1", "emailAddress": "ADA@lindqvist.example"})
    emails.append({"source": "support", "sourceKey": "5", "emailAddress": "ada@lindqvist.example"})
    await desk.go("/desk?email=a@example.org")
    assert "Email (2)" in await text_of(desk, ".answer-known")
    contact = await text_of(desk, "#section-contact")
    assert "ada@lindqvist.example 2 systems" in contact
    await desk.page.click("#section-contact .row >> nth=1")
    assert "Support desk, record 5" in await text_of(desk, "#section-contact .row[open]")


async def test_a_source_says_how_old_it_is(desk: Desk) -> None:
    await desk.go("/desk?email=a@example.org")
    chips = await desk.page.locator(".chip").all_inner_texts()
    assert [" ".join(chip.split()) for chip in chips] == [
        "CRM live 4 ms",
        "Tills North live 8 ms",
        "Newsletter 2 h old 13 ms",
        "Support desk live 38 ms",
    ]


async def test_refused_identifiers_and_unknown_persons_are_explained(
    desk: Desk, answers: Answers
) -> None:
    bad = {"message": "not a phone number", "extensions": {"code": "BAD_IDENTIFIER"}}
    answers.replies["+1"] = lambda by: (200, {"errors": [bad]})
    await desk.go("/desk?phone=%2B1", "notice")
    assert await text_of(desk, "#notice") == "That cannot be right not a phone number"
    extensions = {"code": "IDENTITY_UNLINKED", "source": "pos.north", "sourceKey": "77"}
    unlinked = {"message": "x", "path": ["customer"], "extensions": extensions}
    answers.replies["77"] = nobody([unlinked])
    await desk.go("/desk?order_number=77", "notice")
    assert "Tills North, record 77" in await text_of(desk, "#notice")


async def test_a_dead_server_is_said_and_can_be_tried_again(
    new_desk: Callable[..., Any], answers: Answers
) -> None:
    desk: Desk = await new_desk()
    await desk.page.route("**/graphql", lambda route: route.abort())
    await desk.go("/desk?email=a@example.org", "notice")
    assert "Roundview does not answer" in await text_of(desk, "#notice")
    await desk.page.unroute("**/graphql")
    await desk.page.click("button:has-text('Try again')")
    await desk.settled("customer")
    await desk.page.route("**/graphql", lambda route: route.abort())
    await desk.page.click("#refetch")
    await desk.page.wait_for_selector("#timing:has-text('not refreshed')")
    assert await text_of(desk, "#name") == "Ada Lindqvist"


@pytest.mark.row("C2")
async def test_a_new_channel_appears_on_an_open_page(desk: Desk, answers: Answers) -> None:
    catalog = make_catalog(without=("whatsapp_message",))
    answers.context = page_context(catalog, readable(catalog), Caller("demo"))
    await desk.go("/desk?email=a@example.org")
    assert await desk.page.locator("#section-entity-whatsapp_message").count() == 0
    catalog = make_catalog(version="v2")
    answers.context = page_context(catalog, readable(catalog), Caller("demo"))
    await desk.page.click("#refetch")
    panel = "#section-entity-whatsapp_message"
    await desk.page.wait_for_selector(panel)
    assert "Hi, is the grey table cloth back in stock?" in await text_of(desk, panel)
    assert "WhatsApp message" in await text_of(desk, "#timeline .filters")


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.row("C20")
async def test_a_value_tells_its_source_its_rule_and_what_lost(desk: Desk) -> None:
    await desk.go("/desk?email=a@example.org")
    note = desk.page.locator("#origin-fullName")
    assert not await note.is_visible()
    await desk.page.focus("#name .value")
    assert await note.is_visible()
    text = " ".join((await note.inner_text()).split())
    assert text.startswith("CRM Record 4711 Chosen as Trusted As of 25 Nov 2026, 10:00")
    assert "Ada Lindquist Tills North" in text
    await desk.page.keyboard.press("Escape")
    assert not await note.is_visible()


async def test_a_record_opens_with_its_lines_and_its_origin(desk: Desk) -> None:
    await desk.go("/desk?email=a@example.org")
    await desk.page.click("#section-orders summary >> nth=0")
    text = await text_of(desk, "#section-orders .row[open]")
    assert "Kettle, brushed steel, 1.5 l KET-15 1 €89.90 €89.90" in text
    assert "Tills North, record 58113" in text


async def test_the_timeline_merges_and_filters(desk: Desk) -> None:
    await desk.go("/desk?email=a@example.org")
    titles = await desk.page.locator(".event .row-title").all_inner_texts()
    assert titles[:4] == [
        "Thanks, a photo of the handle is attached. It drips after each use.",
        "Sorry to hear that. Could you send us a photo?",
        "Kettle leaks at the handle",
        "Order N-58113",
    ]
    assert "sent · open · click" in await text_of(desk, "#timeline")
    await desk.page.click('[data-filter="Orders"]')
    await desk.page.click('[data-filter="support"]')
    titles = await desk.page.locator(".event .row-title").all_inner_texts()
    assert not any("Order" in title or "Kettle" in title for title in titles)
    assert await desk.page.get_attribute('[data-filter="support"]', "aria-pressed") == "false"


async def test_totals_are_exact_and_never_mix_currencies(desk: Desk, answers: Answers) -> None:
    order = {"source": "pos.north", "status": "completed", "orderedAt": "2026-11-01T00:00:00Z"}
    amounts = [("0.1000", "EUR"), ("0.2000", "EUR"), ("99999999999999.9900", "JPY"), ("x", "EUR")]
    answers.default["customer"]["salesOrder"] = {
        "nodes": [
            {**order, "sourceKey": str(at), "grandTotal": amount, "currency": currency}
            for at, (amount, currency) in enumerate(amounts)
        ],
        "pageInfo": {"hasNextPage": True},
    }
    await desk.go("/desk?email=a@example.org")
    value = await text_of(desk, ".answer-value")
    assert "€0.30" in value
    assert "¥100,000,000,000,000" in value
    assert "in the newest 4 orders" in value


async def test_refetch_asks_again_and_keeps_what_is_open(desk: Desk, answers: Answers) -> None:
    await desk.go("/desk?email=a@example.org")
    await desk.page.click("#section-work summary >> nth=0")
    answers.default["customer"]["fullName"] = "Ada Lindqvist-Berg"
    await desk.page.keyboard.press("r")
    await desk.page.wait_for_selector("#name:has-text('Berg')")
    assert len(answers.asked) == 2
    assert await desk.page.locator("#section-work .row[open]").count() == 1
    focused = await desk.page.evaluate("document.activeElement.textContent")
    assert "Kettle leaks" in focused


async def test_the_keyboard_alone_is_enough(desk: Desk) -> None:
    page = desk.page
    await desk.go("/desk", "idle")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("/")
    await page.keyboard.type("ada.lindqvist@example.org")
    await page.keyboard.press("Enter")
    await desk.settled("customer")
    assert await page.evaluate("document.activeElement.id") == "name"
    for key in "jjk":
        await page.keyboard.press(key)
    focused = "document.activeElement.querySelector('.row-title')?.textContent"
    assert (await page.evaluate(focused)).startswith("Thanks, a photo")
    await page.keyboard.press("Enter")
    assert await page.locator(".event .row[open]").count() == 1
    panels = ["work", "orders", "engagement", "consent", "contact", "loyalty"]
    for at, name in enumerate(panels, start=1):
        await page.keyboard.press(str(at))
        assert await page.evaluate("document.activeElement.id") == f"panel-{name}"
    await page.keyboard.press("?")
    assert await page.is_visible("#help")
    await page.keyboard.press("Escape")
    assert await page.is_hidden("#help")


async def test_single_keys_can_be_turned_off(desk: Desk) -> None:
    page = desk.page
    await desk.go("/desk?email=a@example.org")
    await page.keyboard.press("?")
    await page.focus("#single-keys")
    await page.keyboard.press("Space")
    await page.keyboard.press("Escape")
    for key in ("?", "/", "2"):
        await page.keyboard.press(key)
    assert await page.is_hidden("#help")
    assert await page.evaluate("document.activeElement.id") not in ("value", "panel-orders")
    await desk.go("/desk?email=a@example.org")
    await page.keyboard.press("?")
    assert await page.is_hidden("#help")
    await page.click("#help-open")
    assert await page.is_visible("#help")


async def test_typing_in_the_box_is_never_taken_for_a_key(desk: Desk) -> None:
    await desk.go("/desk", "idle")
    await desk.page.focus("#value")
    await desk.page.keyboard.type("jk12r?/")
    assert await desk.page.input_value("#value") == "jk12r?/"
    assert await desk.page.is_hidden("#help")
