"""Proves that an explanation says why, without a value."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from tests.identity.worlds import RULES, SOURCES, record

from roundview_identity.explain import explain
from roundview_identity.refresh import refresh
from roundview_identity.store import CANNOT_LINK, MUST_LINK, Xref

RECORDS = [
    record("crm/1", "Ann", email="ann@x.example", phone="+4930111222"),
    record("pos/1", "Annie", phone="+4930111222"),
    record("mail/1", "Ann", email="ann@x.example"),
    record("crm/2", "Karl", phone="+4930111222", landline="+4930999888"),
    record("pos/2", "Karl", landline="+4930999888"),
    record("support/1", phone="+4930111222"),
    record("pos/3", "Otto", phone="+4930777666", loyalty_no="L1"),
    record("pos/4", "Otto", phone="+4930777666", loyalty_no="L2"),
    record("pos/5", "Eve"),
]


@pytest.mark.row("C16")
@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("crm/1", "pos/1", ["are one customer", "share phone", "given names agree"]),
        ("pos/1", "mail/1", ["are one customer", "1 other record", "pos/1 - crm/1 - mail/1"]),
        ("crm/1", "crm/2", ["are not one customer", "given names differ", "shared, on 4 records"]),
        ("crm/2", "pos/2", ["are not one", "landline", "never links alone"]),
        ("crm/1", "support/1", ["are not one", "a name is missing, and several people use it"]),
        ("pos/3", "pos/4", ["are not one", "the link is held", "links them"]),
        ("crm/1", "pos/5", ["are not one", "share no identifier"]),
        ("crm/1", "crm/1", ["are one customer", "they are one record"]),
        ("crm/1", "web/7", ["are not one", "web/7 is not known"]),
    ],
)
def test_why(xref: Xref, a: str, b: str, words: list[str]) -> None:
    refresh(xref, RECORDS, RULES, sources=SOURCES)
    first, second = (tuple(one.split("/")) for one in (a, b))
    explanation = explain(xref, first, second, RULES)  # type: ignore[arg-type]
    text = str(explanation)
    for word in words:
        assert word in text, text
    for value in ("ann@", "+4930", "Annie", "Karl"):
        assert value not in text + repr(asdict(explanation))


def test_decisions_are_named(xref: Xref) -> None:
    xref.decide(MUST_LINK, ("pos", "5"), ("crm", "2"), actor="eve", reason="stage name")
    xref.decide(CANNOT_LINK, ("pos", "1"), ("crm", "1"), actor="eve", reason="sisters")
    refresh(xref, RECORDS, RULES, sources=SOURCES)
    joined = explain(xref, ("crm", "2"), ("pos", "5"), RULES)
    assert (joined.is_same, joined.reason) == (True, "a person decided so")
    apart = explain(xref, ("crm", "1"), ("pos", "1"), RULES)
    assert (apart.is_same, apart.decisions) == (False, ("cannot_link",))
