"""Proves derived relations of SQL: their rows, what they read, and who sees what of them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roundview.client import AsyncConnection, connect_async
from roundview_catalog.errors import RequestError
from roundview_federation.dialect.names import resolve
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.translate import translate
from roundview_federation.dialect.types import of_column
from roundview_federation.plan import ROW_HEAD, Identifier, Lookup, Question, Section
from roundview_federation.planner import selecting
from roundview_federation.request import Principal, Request
from roundview_federation.sql.expansion import expand
from roundview_federation.sql.question import SqlResult
from roundview_federation.sql.relations import visible

SOURCES = ("crm", "till.north", "till.south")
PEOPLE = 60
START = datetime(2026, 1, 1, tzinfo=UTC)

RULES = {
    "recent": "most_recent",
    "frequent": "most_frequent",
    "complete": "most_complete",
    "united": "union",
    "a system": "{trusted: [till]}",
    "a source": "{trusted: [till.south, crm]}",
}

MAIN = """\
roundview: 1
name: derived
version: 1
deadlines: {view: 60s, probe: 10s, sql: 60s}
survivorship: {default: most_recent}
"""

POLICY = """\
roles:
  demo:
    purposes: [service]
    sees: {"*": all}
  masked:
    purposes: [service]
    sees: {"*": all}
    mask: {individual.family_name: "left(family_name, 1)"}
    row_filter: {individual: "source <> 'crm'"}
  orders:
    purposes: [service]
    sees: {sales_order: [ordered_at, currency]}
  names:
    purposes: [service]
    sees: {individual: [given_name], contact_point_email: [is_primary], support_case: [status]}
"""

SOURCE = """\
source: {name}
connector: sqlite
connection: {{path: "${{env:DERIVED}}/{name}.db"}}
limits: {{timeout: 60s}}
defaults: {{time_zone: UTC, currency: EUR}}
tables:
  people:
    columns:
      id: {{type: integer, nullable: false}}
      given: {{type: text}}
      family: {{type: text}}
      born: {{type: date}}
      since: {{type: timestamptz}}
      changed: {{type: timestamptz}}
      card: {{type: text}}
      mail: {{type: text}}
      mail2: {{type: text}}
      best: {{type: boolean}}
    primary_key: [id]
    indexes: [[family], [card]]
    rows_estimate: 5000
  sales:
    columns:
      id: {{type: integer, nullable: false}}
      person: {{type: integer}}
      at: {{type: timestamptz}}
      state: {{type: text}}
      total: {{type: "decimal(18,4)"}}
      money: {{type: text}}
    primary_key: [id]
    indexes: [[person]]
    rows_estimate: 9000
entities:
  individual:
    from: people p
    key: p.id
    fields:
      given_name: p.given
      family_name: p.family
      birth_date: p.born
      customer_since: p.since
      source_updated_at: p.changed
    also:
      loyalty_membership:
        fields: {{member_no: p.card, program: {{const: Card}}, source_updated_at: p.changed}}
      contact_point_email:
        each:
          first: {{email_address: p.mail, is_primary: p.best, source_updated_at: p.changed}}
          second: {{email_address: p.mail2}}
  sales_order:
    from: sales s
    key: s.id
    individual: s.person
    fields:
      ordered_at: s.at
      status: s.state
      grand_total: s.total
      currency: s.money
"""
