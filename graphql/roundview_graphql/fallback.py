"""Decides how graphql-core answers over fetched rows: for what builders do not cover.

It is also the oracle of the builders: both read the same Result and must give equal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLResolveInfo, execute_sync

from roundview_catalog.errors import InternalError, RoundviewError
from roundview_federation.plan import ROW_HEAD
from roundview_federation.result import Found, Output, Result, Rows, Survived
from roundview_graphql.failures import Problem, shown
from roundview_graphql.outline import Listed
from roundview_graphql.question import Asked
from roundview_graphql.scalars import as_text
from roundview_graphql.schema import DoorSchema

_HEAD = len(ROW_HEAD)
_EMPTY = Result({}, {}, (), None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Customer:
    root: int
    index: int
    found: Found


@dataclass(frozen=True, slots=True)
class _Page:
    listed: Listed
    rows: Rows
    missing: tuple[str, ...]
    customer: _Customer


@dataclass(frozen=True, slots=True)
class _Record:
    listed: Listed
    row: tuple[Any, ...]
    customer: _Customer


def execute_over(
    door: DoorSchema,
    document: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, Any],
    asked: Asked | None,
    result: Result | None,
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Returns data and errors of an operation, every field resolved by graphql-core.

    `asked` and `result` are None for an operation that asks no data (introspection alone).
    """
    answers = _Answers(door, asked, result or _EMPTY)
    done = execute_sync(
        door.schema,
        document,
        variable_values=dict(variables),
        operation_name=operation_name,
        field_resolver=answers.resolve,
    )
    problems = []
    for error in done.errors or ():
        cause = error.original_error
        known = cause if isinstance(cause, RoundviewError) else InternalError("an answer broke")
        problems.append(shown(known, error.path))
    return done.data, problems


class _Answers:
    def __init__(self, door: DoorSchema, asked: Asked | None, result: Result) -> None:
        self._words = door.words
        self._asked = asked
        self._result = result

    def resolve(self, parent: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
        """Resolves one field by what its parent is."""
        name = info.field_name
        if parent is None:
            return self._root(info)
        if isinstance(parent, _Customer):
            return self._customer_field(parent, info)
        if isinstance(parent, _Page):
            return self._page_field(parent, name)
        if isinstance(parent, _Record):
            return self._record_field(parent, info)
        if isinstance(parent, Survived):
            return self._survived_field(parent, name)
        value = parent[name]
        return value() if callable(value) else value

    def _root(self, info: GraphQLResolveInfo[Any]) -> Any:
        assert self._asked is not None  # noqa: S101  a root field was outlined
        keys = [root.selected.key for root in self._asked.outline.roots]
        at = keys.index(str(info.path.key))
        root = self._asked.outline.roots[at]
        customers = [
            one.error or (_Customer(at, index, one) if one.customer_id is not None else None)
            for index, one in enumerate(self._result.found[root.name])
        ]
        if root.is_list:
            return customers
        if isinstance(customers[0], RoundviewError):
            raise customers[0]
        return customers[0]

    def _customer_field(self, customer: _Customer, info: GraphQLResolveInfo[Any]) -> Any:
        assert self._asked is not None  # noqa: S101  a customer was outlined
        name = info.field_name
        if name in self._words.relations:
            listed = self._listed(info)
            output = self._result.outputs[listed.name]
            return self._page(listed, customer, customer.index, output.missing)
        if name == "customerId":
            return customer.found.customer_id
        if name == "linkState":
            return customer.found.link_state
        section = self._asked.customers[customer.root]
        if name == "provenance":
            path = _generic(info)
            for origins, fields in zip(
                self._asked.outline.origins, self._asked.choices.origins, strict=True
            ):
                if origins.path == path:
                    if not fields:
                        return []
                    known = self._output(section).provenance.get(customer.index, {})
                    return [known[field] for field in fields if field in known]
        rows = self._output(section).groups.get(customer.index)
        if rows is None or not rows.rows:
            return None
        column = self._words.customer[name].column
        return rows.rows[0][_HEAD + self._asked.columns[section][column]]

    def _page_field(self, page: _Page, name: str) -> Any:
        if name == "nodes":
            return [_Record(page.listed, row, page.customer) for row in page.rows.rows]
        if name == "complete":
            return not page.missing and not page.rows.is_truncated
        if name == "missingSources":
            return list(page.missing)
        return {"hasNextPage": page.rows.has_next, "endCursor": page.rows.end_cursor}

    def _record_field(self, record: _Record, info: GraphQLResolveInfo[Any]) -> Any:
        assert self._asked is not None  # noqa: S101  a record was outlined
        origin, source_key, slot = record.row[:3]
        name = info.field_name
        words = record.listed.words
        if name == "provenance":
            return {
                "source": origin.source,
                "sourceKey": source_key,
                "fetchedAt": origin.fetched_at,
                "asOf": origin.as_of,
            }
        if name in words.children:
            listed = self._listed(info)
            missing = self._result.outputs[listed.name].missing
            own = (origin.source,) if origin.source in missing else ()
            return self._page(listed, record.customer, (origin.source, source_key), own)
        column = words.columns[name].column
        found = record.customer.found
        head = {
            "customer_id": found.customer_id,
            "link_state": found.link_state,
            "source": origin.source,
            "source_system": origin.source_system,
            "source_instance": origin.source_instance,
            "source_key": source_key,
            "slot": slot,
            "as_of": origin.as_of,
            "fetched_at": origin.fetched_at,
        }
        if column in head:
            return head[column]
        return record.row[_HEAD + self._asked.columns[record.listed.name][column]]

    def _survived_field(self, survived: Survived, name: str) -> Any:
        if name == "losing":
            return [{"value": as_text(x.value), "source": x.source} for x in survived.losing]
        if name == "field":
            columns = {c.column: field for field, c in self._words.customer.items()}
            return columns[survived.field]
        values = {
            "source": survived.source,
            "sourceKey": survived.source_key,
            "rule": survived.rule,
            "asOf": survived.as_of,
        }
        return values[name]

    def _page(
        self, listed: Listed, customer: _Customer, key: object, missing: tuple[str, ...]
    ) -> _Page:
        rows = self._output(listed.name).groups.get(key)
        return _Page(listed, rows or Rows([]), missing, customer)

    def _output(self, section: str) -> Output:
        output = self._result.outputs[section]
        if output.failed is not None:
            raise output.failed
        return output

    def _listed(self, info: GraphQLResolveInfo[Any]) -> Listed:
        assert self._asked is not None  # noqa: S101  a list was outlined
        path = _generic(info)
        return next(one for one in self._asked.outline.lists if one.path == path)


def _generic(info: GraphQLResolveInfo[Any]) -> tuple[str, ...]:
    return tuple("*" if isinstance(part, int) else part for part in info.path.as_list())
