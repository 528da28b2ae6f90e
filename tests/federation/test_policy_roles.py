"""Which roles count for a request, and what several of them show together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from roundview_catalog import loader
from roundview_catalog.errors import AccessError
from roundview_catalog.model import Catalog
from roundview_federation.access.policy import decide, may_query, purpose_of
from roundview_federation.request import Decision, Principal, Request

COMPANY = Path(__file__).parents[1] / "catalog" / "company"
POLICY = """
attributes: [team]
purposes:
  win_back: {comment: Asking former customers to return.}
only_for:
  individual.birth_date: [service, fraud]
  note: [service]
roles:
  agent:
    purposes: [service, win_back]
    sees: {"*": all}
    row_filter:
      "*": region = principal.region
      sales_order: business_unit = principal.business_unit
    actions: [reveal]
  counter:
    purposes: [service]
    sees: {sales_order: [status, grand_total]}
    mask: {sales_order.grand_total: "round(grand_total, 0)"}
  marketer:
    purposes: [marketing]
    sees: {individual: [language], engagement: all}
  fireman:
    purposes: [service]
    sees: {"*": all}
    actions: [allow_scan]
    break_glass: true
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("policy") / "catalog"
    shutil.copytree(COMPANY, folder)
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    return loader.load(folder)


def who(*roles: str, **attributes: object) -> Principal:
    """Returns a principal with every purpose; by default it serves."""
    purposes = ("service", "marketing", "fraud", "analytics", "win_back")
    return Principal("test", roles, attributes, purposes, "service")


def masks(decision: Decision) -> dict[str, str]:
    return {f"{entity}.{field}": tree.sql() for (entity, field), tree in decision.masks.items()}


def test_a_role_counts_for_its_purposes_only(catalog: Catalog) -> None:
    both = who("marketer", "agent")
    assert decide(catalog, both, "marketing").fields.keys() == {"individual", "engagement"}
    assert "status" not in decide(catalog, who("marketer"), "marketing").fields["individual"]
    assert decide(catalog, who("marketer")).fields == {}
    assert decide(catalog, both, "fraud").fields == {}
    assert decide(catalog, both, "marketing").actions == frozenset()
    shapes = {decide(catalog, both, one).policy_shape for one in ("marketing", "service", "fraud")}
    assert len(shapes) == 3


def test_a_field_is_read_for_its_purposes_only(catalog: Catalog) -> None:
    service, win_back = (decide(catalog, who("agent"), one) for one in ("service", "win_back"))
    assert "birth_date" in service.fields["individual"]
    assert "note" in service.fields
    assert "birth_date" not in win_back.fields["individual"]
    assert {"given_name", "customer_id"} <= win_back.fields["individual"]
    assert "note" not in win_back.fields


def test_a_filter_of_everything_stands_beside_the_own_one(catalog: Catalog) -> None:
    filters = decide(catalog, who("agent")).row_filters
    assert filters.keys() == catalog.canonical.entities.keys()
    assert [one.sql() for one in filters["note"]] == ["region = principal.region"]
    assert [one.sql() for one in filters["sales_order"]] == [
        "business_unit = principal.business_unit AND region = principal.region"
    ]


def test_roles_together_show_no_value_that_none_would_show(catalog: Catalog) -> None:
    together = decide(catalog, who("agent", "counter"))
    assert "sales_order" not in together.row_filters
    own = "business_unit = principal.business_unit AND region = principal.region"
    shown = masks(together)
    assert shown["sales_order.order_number"] == f"CASE WHEN {own} THEN order_number ELSE NULL END"
    assert shown["sales_order.grand_total"] == (
        f"CASE WHEN {own} THEN grand_total ELSE ROUND(grand_total, 0) END"
    )
    assert "sales_order.status" not in shown
    assert together.policy_shape == decide(catalog, who("counter", "agent")).policy_shape


def test_attributes_are_texts_or_nothing(catalog: Catalog) -> None:
    attributes = decide(catalog, who("agent", region="eu", team=7, other="x")).attributes
    assert attributes == {"region": "eu", "business_unit": None, "team": "7"}
    for odd in (True, ["eu"], {"a": 1}, 1.5, None):
        assert decide(catalog, who("agent", region=odd)).attributes["region"] is None
    plain, other = (decide(catalog, who("agent", region=one)) for one in ("eu", "us"))
    assert plain.policy_shape == other.policy_shape


def test_the_glass_is_broken_on_request_only(catalog: Catalog) -> None:
    asker = who("counter", "fireman")
    assert decide(catalog, asker).fields.keys() == {"sales_order"}
    assert "note" in decide(catalog, asker, is_emergency=True).fields
    assert decide(catalog, asker).policy_shape != (
        decide(catalog, asker, is_emergency=True).policy_shape
    )


def test_whole_sources_are_read_by_those_only_who_may(catalog: Catalog) -> None:
    request = Request(who("agent"), allow_scan=True)
    with pytest.raises(AccessError) as caught:
        may_query(request, decide(catalog, who("agent")))
    assert caught.value.code == "RV300"
    may_query(request, decide(catalog, who("fireman"), is_emergency=True))
    may_query(Request(who("agent")), decide(catalog, who("agent")))


@pytest.mark.parametrize("purpose", ["", "curiosity", "Service", "service "])
def test_a_purpose_is_ones_own(purpose: str) -> None:
    asker = Principal("test", ("agent",), {}, ("service",), "")
    with pytest.raises(AccessError) as caught:
        purpose_of(Request(asker, purpose))
    assert caught.value.code == "RV301"


def test_unknown_roles_and_odd_ones_see_nothing(catalog: Catalog) -> None:
    for role in ("admin", "agent ", "Agent", "*", ""):
        decision = decide(catalog, who(role))
        assert (decision.fields, decision.actions) == ({}, frozenset())
    assert decide(catalog, who("agent", "agent", *map(str, range(5_000)))).fields
