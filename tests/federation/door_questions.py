"""Makes random questions under a policy, each as every door and the naive answer must be told it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.federation.naive import Wanted
from tests.federation.ruled import CONSENT, ROLES, Asker, RuledEstate

from roundview_catalog.types import Kind, Type
from roundview_graphql.names import camel, enum_value

TOGETHER = (
    *((role,) for role in sorted(ROLES)),
    ("narrower", "narrow"),
    ("narrow", "careful"),
    ("careful", "everyone"),
    ("partly", "narrow"),
    ("partly", "careful"),
)
REGIONS = ("eu", "eu", "us", "", None)
RULED = tuple(
    sorted(
        {e for rules in ROLES.values() for e, _ in rules.masks}
        | {e for rules in ROLES.values() for e in rules.filters}
        | {e for e, _ in CONSENT.needed}
    )
)
ORDERED = (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMPTZ, Kind.TEXT)
_SIGNS = {"=": "eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_OURS = ("region", "business_unit", "source_system", "source_instance", "source_created_at")


@dataclass(frozen=True)
class Condition:
    """One condition, as DuckDB is told it with `values`, as SQL with literals, and as GraphQL."""

    naive: str
    values: Mapping[str, Any]
    sql: str
    graphql: Mapping[str, Any]


@dataclass(frozen=True)
class DoorQuestion:
    """A list of an entity, of some customers or of everybody."""

    seed: int
    asker: Asker
    region: str | None
    entity: str
    columns: tuple[str, ...]
    customers: tuple[str, ...]
    where: Condition | None
    order: tuple[str, bool] | None

    @property
    def wanted(self) -> Wanted:
        """Returns the question as the naive answer takes it."""
        where = self.where
        order = () if self.order is None else (self.order,)
        if where is None:
            return Wanted(self.entity, self.columns, order=order)
        return Wanted(self.entity, self.columns, where.naive, where.values, order)

    @property
    def statement(self) -> str:
        """Returns it as one SELECT: the rows of all its customers, or of everybody."""
        shown = ", ".join(("customer_id", "source", "source_key", "slot", *self.columns))
        parts = [] if self.where is None else [f"({self.where.sql})"]
        if self.customers:
            known = ", ".join(f"'{one}'" for one in self.customers)
            parts.append(f"customer_id IN ({known})")
        return f"SELECT {shown} FROM {self.entity}" + (
            f" WHERE {' AND '.join(parts)}" if parts else ""
        )

    @property
    def document(self) -> str:
        """Returns it as a GraphQL operation about one customer."""
        fields = " ".join(dict.fromkeys(("source", "sourceKey", "slot", *map(camel, self.columns))))
        name = camel(self.entity)
        kind = name[0].upper() + name[1:]
        return (
            f"query ($id: CustomerIdIdentifier!, $where: {kind}Where, $order: [{kind}Order!]) {{"
            f" customer(by: {{customerId: $id}}) {{ {name}(first: 200, where: $where,"
            f" orderBy: $order) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage }} }} }} }}"
        )

    def variables(self, customer: str) -> dict[str, Any]:
        """Returns the variables of the operation."""
        found: dict[str, Any] = {"id": customer}
        if self.where is not None:
            found["where"] = self.where.graphql
        if self.order is not None:
            found["order"] = [{camel(self.order[0]): "DESC" if self.order[1] else "ASC"}]
        return found


def question(ruled: RuledEstate, seed: int) -> DoorQuestion:
    """Makes the question of a seed."""
    chance = random.Random(seed)
    asker = Asker(chance.choice(TOGETHER), chance.choice(("service", "service", "marketing")))
    entity = chance.choice((*sorted(ruled.naive.types), *RULED, *RULED))
    hidden = set.intersection(*(set(rules.hidden.get(entity, ())) for rules in asker.rules))
    types = {
        name: type_
        for name, type_ in ruled.naive.types[entity].items()
        if name not in hidden and type_.kind is not Kind.JSON
    }
    names = sorted(name for name in types if name not in ("source", "source_key", "slot"))
    own = [name for name in names if name not in _OURS] or names
    columns = tuple(chance.sample(own, chance.randint(1, min(5, len(own)))))
    where = None
    if chance.random() < 0.75:
        where = _condition(chance, ruled, entity, types, chance.randint(0, 2))
    count = chance.choice((0, 1, 1, 2, 5))
    order = (chance.choice(own), chance.random() < 0.5) if chance.random() < 0.6 else None
    return DoorQuestion(
        seed=seed,
        asker=asker,
        region=chance.choice(REGIONS),
        entity=entity,
        columns=columns,
        customers=tuple(chance.sample(ruled.customers, count)),
        where=where,
        order=order,
    )


def of_graphql(value: Any, type_: Type) -> Any:
    """Returns a value of the naive answer as GraphQL writes it, decimals as numbers."""
    if value is None:
        return None
    if type_.kind is Kind.ENUM:
        return enum_value(value)
    if type_.kind is Kind.TIMESTAMPTZ:
        return value.replace(tzinfo=UTC)
    return value


def from_graphql(value: Any, type_: Type) -> Any:
    """Returns a value of an answer, to be compared with `of_graphql`."""
    if value is None:
        return None
    if type_.kind in (Kind.DECIMAL, Kind.BIGINT):
        return Decimal(value)
    if type_.kind is Kind.TIMESTAMPTZ:
        return datetime.fromisoformat(value)
    if type_.kind is Kind.DATE:
        return date.fromisoformat(value)
    return value


def _condition(
    chance: random.Random, ruled: RuledEstate, entity: str, types: Mapping[str, Type], depth: int
) -> Condition:
    if depth:
        left = _condition(chance, ruled, entity, types, depth - 1)
        if chance.random() < 0.3:
            return Condition(
                f"NOT ({left.naive})", left.values, f"NOT ({left.sql})", {"not": left.graphql}
            )
        right = _condition(chance, ruled, entity, types, depth - 1)
        word = chance.choice(("AND", "OR"))
        return Condition(
            f"({left.naive}) {word} ({right.naive})",
            {**left.values, **right.values},
            f"({left.sql}) {word} ({right.sql})",
            {word.lower(): [left.graphql, right.graphql]},
        )
    name = chance.choice(sorted(types))
    type_ = types[name]
    known = ruled.naive.values(entity, name)
    if chance.random() < 0.2 or not known:
        return Condition(f"{name} IS NULL", {}, f"{name} IS NULL", {camel(name): {"isNull": True}})
    parameter = f"v{chance.randrange(10**9)}"
    if chance.random() < 0.3:
        values = chance.sample(known, min(3, len(known)))
        return Condition(
            f"list_contains(${parameter}, {name})",
            {parameter: values},
            f"{name} IN ({', '.join(_literal(one, type_) for one in values)})",
            {camel(name): {"in": [_variable(one, type_) for one in values]}},
        )
    value = chance.choice(known)
    sign = chance.choice(sorted(_SIGNS)) if type_.kind in ORDERED else "="
    return Condition(
        f"{name} {sign} ${parameter}",
        {parameter: value},
        f"{name} {sign} {_literal(value, type_)}",
        {camel(name): {_SIGNS[sign]: _variable(value, type_)}},
    )


def _literal(value: Any, type_: Type) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if type_.kind is Kind.TIMESTAMPTZ:
        return f"timestamptz '{value.isoformat(sep=' ')}+00'"
    if type_.kind is Kind.DATE:
        return f"date '{value.isoformat()}'"
    return "'" + str(value).replace("'", "''") + "'"


def _variable(value: Any, type_: Type) -> Any:
    if type_.kind is Kind.ENUM:
        return enum_value(value)
    if type_.kind is Kind.DECIMAL:
        return format(value, "f")
    if type_.kind is Kind.BIGINT:
        return str(value)
    if type_.kind is Kind.TIMESTAMPTZ:
        return value.isoformat() + "Z"
    if type_.kind is Kind.DATE:
        return value.isoformat()
    return value
