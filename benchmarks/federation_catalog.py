"""Decides how the estate that SQL is measured over is mapped into canonical entities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from roundview.demo.servers import Server
from roundview.introspection import introspect_source
from roundview_catalog import schema_file

PEOPLE = ("crm", "desk", "mail", "old", "pos", "shop")
"""Sources with a record of every account: all."""
_STATES = {"0": "completed", "1": "shipped", "2": "returned"}
_ENTITIES = {
    "account": {
        "account_no": "bigint", "email_address": "text", "segment": "text", "territory": "text",
        "since": "date",
    },
    "purchase": {
        "account_no": "bigint", "purchased_at": "timestamptz", "total": "decimal(12,2)",
    },
    "ticket": {"account_no": "bigint", "opened_at": "timestamptz"},
}  # fmt: skip


def _sales(total: str) -> dict[str, Any]:
    return {
        "individual": {"from": "customers c", "fields": {"family_name": "c.name"}},
        "sales_order": {
            "from": "orders o",
            "person": "o.customer_id",
            "fields": {
                "order_number": "CAST(o.id AS text)",
                "ordered_at": "o.ordered_at",
                "status": {"value": "o.status", "map": _STATES},
                "grand_total": total,
            },
        },
        "purchase": {
            "from": "orders o",
            "fields": {
                "account_no": "o.customer_id",
                "purchased_at": "o.ordered_at",
                "total": total,
            },
        },
    }


_SOURCES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "crm": (
        "postgres",
        {
            "individual": {
                "from": "accounts a",
                "fields": {"given_name": "a.given_name", "family_name": "a.family_name"},
                "also": {"contact_point_email": {"fields": {"email_address": "a.email"}}},
            },
            "account": {
                "from": "accounts a",
                "fields": {
                    "account_no": "a.id", "email_address": "a.email", "segment": "a.segment",
                    "territory": "a.region", "since": "a.since",
                },
            },
        },
    ),
    "shop": ("postgres", _sales("o.total")),
    "desk": (
        "postgres",
        {
            "individual": {"from": "users u", "fields": {"family_name": "u.name"}},
            "support_case": {
                "from": "tickets t",
                "person": "t.user_id",
                "fields": {
                    "case_number": "CAST(t.id AS text)", "subject": "t.subject",
                    "opened_at": "t.opened_at", "status": "t.status",
                },
            },
            "ticket": {
                "from": "tickets t",
                "fields": {"account_no": "t.user_id", "opened_at": "t.opened_at"},
            },
        },
    ),
    "pos": ("mysql", _sales("o.total")),
    "old": ("sqlite", _sales("o.cents / 100.00")),
    "mail": (
        "files",
        {
            "individual": {"from": "subscribers s", "fields": {"family_name": "s.name"}},
            "engagement": {
                "from": "opened e",
                "person": "e.subscriber_id",
                "fields": {"type": {"const": "open"}, "occurred_at": "e.opened_at"},
            },
        },
    ),
}  # fmt: skip
_TABLES = {
    name: {"path": f"{name}.parquet", "key": "id"} for name in ("subscribers", "opened")
}  # fmt: skip


async def write_catalog(folder: Path, postgres: Server, mariadb: Server) -> dict[str, str]:
    """Writes the catalog into `folder` and returns the environment that names its places."""
    root = folder / "catalog"
    (root / "sources").mkdir(parents=True)
    (root / "entities").mkdir()
    deadlines = {"view": "60s", "sql": "120s"}
    _dump(root / "roundview.yaml", {"roundview": 1, "name": "estate", "deadlines": deadlines})
    _dump(
        root / "policy.yaml",
        {
            "roles": {
                "demo": {"purposes": ["service"], "sees": {"*": "all"}, "actions": ["allow_scan"]}
            }
        },
    )
    for name, types in _ENTITIES.items():
        fields = {field: {"type": t, "comment": f"{field}."} for field, t in types.items()}
        entity = {"entity": name, "comment": f"One {name}.", "person": False, "fields": fields}
        _dump(root / f"entities/{name}.yaml", entity)
    env = {
        **{f"{name.upper()}_PLACE": postgres.url(name) for name in ("crm", "shop", "desk")},
        "POS_PLACE": mariadb.url("pos"),
        "OLD_PLACE": str(folder / "old.db"),
        "MAIL_PLACE": str(folder / "mailings"),
    }
    told = {"postgres": "url", "mysql": "url", "sqlite": "path", "files": "root"}
    for source, (connector, entities) in _SOURCES.items():
        head: dict[str, Any] = {
            "source": source,
            "connector": connector,
            "connection": {told[connector]: f"${{env:{source.upper()}_PLACE}}"},
            "limits": {"timeout": "120s", "scan_rows": 100_000_000, "rows": 100_000_000,
                       "bytes": "1GiB"},
            "defaults": {"time_zone": "UTC", "currency": "EUR"},
        }  # fmt: skip
        if connector == "files":
            head["tables"] = _TABLES
        else:
            head["facts"] = _FACTS.get(source, {})
        _dump(root / f"sources/{source}.yaml", {**head, "entities": dict(entities)})
    for source in _SOURCES:
        found = await introspect_source(root, source, env)
        schema_file.write(root / f"sources/{source}.schema.yaml", found)
    return env


_FACTS = {"crm": {"accounts.email": {"normal_form": "lower"}}}


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    yaml = YAML()
    yaml.width = 10_000
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(dict(data), file)
