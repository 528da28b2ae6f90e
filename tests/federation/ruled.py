"""Decides under which policy the shared estate is asked by tests of random questions."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.federation.naive import Consent, Naive, Rules

from roundview_catalog.model import Entity
from roundview_federation.federation import Federation
from roundview_federation.request import Principal

# What follows from a masked field has a mask of its own here, so that the naive answer knows it.
_PHONES = {
    ("contact_point_phone", "phone_e164"): "'…' || right(phone_e164, 3)",
    ("contact_point_phone", "country_code"): "nullif(country_code, 'DE')",
    ("contact_point_phone", "is_mobile"): "is_mobile AND NOT is_mobile",
}

ROLES = {
    "everyone": Rules(),
    "careful": Rules(
        hidden={"individual": ("gender",), "consent": ("topic", "captured_at")},
        masks={
            ("individual", "birth_date"): "date_trunc('year', birth_date)",
            ("individual", "family_name"): "left(family_name, 1)",
            ("contact_point_email", "email_address"): "left(email_address, 2) || '…'",
            ("contact_point_email", "email_normalized"): "left(email_normalized, 2) || '…'",
            ("contact_point_email", "domain"): "right(domain, 3)",
            ("contact_point_phone", "phone_raw"): "'…' || right(phone_raw, 3)",
            **_PHONES,
            ("individual", "full_name"): "left(full_name, 1)",
            ("sales_order", "grand_total"): (
                "CASE WHEN grand_total > 50 THEN NULL ELSE grand_total END"
            ),
            ("engagement", "occurred_at"): "date_trunc('month', occurred_at)",
            ("support_case", "subject"): "coalesce(left(subject, 3), '-')",
        },
    ),
    "narrow": Rules(
        hidden={"sales_order": ("grand_total",)},
        masks={("contact_point_phone", "phone_raw"): "left(phone_raw, 2)", **_PHONES},
        filters={
            "sales_order": "region = principal.region",
            "engagement": "type IN ('open', 'click')",
            "support_case": "status <> 'open'",
            "contact_point_email": "is_primary",
            "individual": "source <> 'mail'",
        },
    ),
    "partly": Rules(
        hidden={"sales_order": ("status",), "individual": ("gender",)},
        masks={
            ("sales_order", "grand_total"): "round(grand_total, 0)",
            ("engagement", "type"): "'open'",
        },
        filters={
            "sales_order": "grand_total > 40",
            "individual": "source = 'crm'",
            "engagement": "type <> 'open'",
        },
    ),
    "narrower": Rules(
        filters={
            "sales_order": "grand_total < 60 OR status = 'returned'",
            "individual": "birth_date IS NOT NULL",
            "contact_point_email": "NOT is_primary",
        }
    ),
}


CONSENT = Consent(
    needed=(
        ("contact_point_email", ""),
        ("sales_order", ""),
        ("contact_point_phone", "phone_e164"),
        ("contact_point_phone", "country_code"),
        ("contact_point_phone", "is_mobile"),
        ("individual", "birth_date"),
        ("loyalty_membership", "tier"),
    ),
    given="status = 'opt_in'",
    refused="status = 'opt_out' AND source <> 'mail'",
)
"""What the purpose marketing needs."""


@dataclass(frozen=True)
class Asker:
    """Who asks, and what for."""

    roles: tuple[str, ...]
    purpose: str = "service"

    @property
    def rules(self) -> list[Rules]:
        """Returns the rules of the roles, in the order in which roles count."""
        return [ROLES[role] for role in sorted(self.roles)]

    @property
    def consent(self) -> Consent | None:
        """Returns what people must have agreed to."""
        return CONSENT if self.purpose == "marketing" else None


@dataclass(frozen=True)
class RuledEstate:
    """The estate under the policy of ROLES, its naive twin, and its customers."""

    federation: Federation
    naive: Naive
    customers: tuple[str, ...]


@asynccontextmanager
async def opened_ruled(
    estate: Path, directory: Path, env: Mapping[str, str], records: Mapping[str, int]
) -> AsyncIterator[RuledEstate]:
    """Opens a copy of an estate's catalog and identity store with the policy of ROLES."""
    # The tests of its own policy name roles that are not those of ROLES.
    own = shutil.ignore_patterns("policy_tests.yaml")
    shutil.copytree(estate / "catalog", directory / "catalog", ignore=own)
    shutil.copytree(estate / ".roundview", directory / "identity")
    secret = estate / "secret"
    federation = Federation.open(
        directory / "catalog", data_dir=directory / "identity", secret=secret, env=env
    )
    policy = _policy(federation.catalog.canonical.entities)
    (directory / "catalog/policy.yaml").write_text(policy, encoding="utf-8")
    assert await federation.reload()
    naive = await Naive.of(federation)
    places = [record.partition("/") for record in records]
    owners = federation.xref.owners((source, key) for source, _, key in places)
    try:
        # In the order of their records: ids differ from run to run.
        yield RuledEstate(federation, naive, tuple(dict.fromkeys(owners.values())))
    finally:
        naive.close()
        await federation.close()


def principal(roles: tuple[str, ...]) -> Principal:
    """Returns who has some of ROLES."""
    return Principal("test", roles, {"region": "eu"}, ("service", "marketing"), "service")


def _policy(entities: Mapping[str, Entity]) -> str:
    needed = [f"{entity}.{field}".rstrip(".") for entity, field in CONSENT.needed]
    lines = ["purposes:", "  marketing:", f"    needs_consent: {json.dumps(needed)}"]
    lines += [
        f"    given: {json.dumps(CONSENT.given)}",
        f"    refused: {json.dumps(CONSENT.refused)}",
    ]
    lines.append("roles:")
    for name, rules in ROLES.items():
        actions = "allow_scan, reveal" if name == "partly" else "allow_scan"
        lines += [f"  {name}:", "    purposes: [service, marketing]", f"    actions: [{actions}]"]
        lines += ["    sees:", '      "*": all']
        for entity, hidden in rules.hidden.items():
            shown = [f for f in entities[entity].fields if f not in hidden]
            lines.append(f"      {entity}: {json.dumps(shown)}")
        if rules.filters:
            lines.append("    row_filter:")
            lines += [f"      {e}: {json.dumps(text)}" for e, text in rules.filters.items()]
        if rules.masks:
            lines.append("    mask:")
            lines += [f"      {e}.{f}: {json.dumps(t)}" for (e, f), t in rules.masks.items()]
    return "\n".join(lines) + "\n"
