"""Decides how Python asks: one object over one catalog, plain values back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from roundview_catalog.errors import RequestError
from roundview_federation.federation import Federation
from roundview_federation.plan import ROW_HEAD, Identifier, Output, Question, Result
from roundview_federation.refresh import Progress, Refreshed, refresh_identity
from roundview_federation.request import Request


class CustomerView:
    """One answer about one customer.

    `found` is False for an unknown identifier; `complete` tells whether every system that
    was asked gave everything; `sources` says what each did.
    """

    def __init__(self, question: Question, result: Result) -> None:
        self._question = question
        self._result = result
        one = result.found["customer"][0]
        if one.error is not None:
            raise one.error
        self.customer_id = one.customer_id
        self.link_state = one.link_state

    @property
    def found(self) -> bool:
        """Tells whether the identifier leads to a customer."""
        return self.customer_id is not None

    @property
    def complete(self) -> bool:
        """Tells whether nothing is missing."""
        return self._result.complete

    @property
    def sources(self) -> list[dict[str, Any]]:
        """Returns what each source did: name, status, as_of, ms, rows, reason."""
        return [
            {
                "name": s.name,
                "status": s.status,
                "as_of": s.as_of,
                "ms": s.ms,
                "rows": s.rows,
                "reason": s.reason,
            }
            for s in self._result.sources
        ]

    def to_dict(self) -> dict[str, Any]:
        """Returns the whole view: the customer's fields, then one list per entity.

        Lists below a parent stand in the parent's rows.
        """
        if not self.found:
            return {"customer_id": None, "complete": self.complete, "sources": self.sources}
        outputs = self._result.outputs
        customer: dict[str, Any] = {"customer_id": self.customer_id, "link_state": self.link_state}
        if "customer" in outputs:
            output = outputs["customer"]
            row = output.groups[0].rows[0]
            customer |= dict(zip(output.columns, row[len(ROW_HEAD) :], strict=True))
        for section in self._question.sections:
            if section.name != "customer" and not section.parent:
                customer[section.name] = self._list(section.name, outputs[section.name], 0)
        return {**customer, "complete": self.complete, "sources": self.sources}

    def _list(self, name: str, output: Output, key: Any) -> list[dict[str, Any]]:
        group = output.groups.get(key)
        children = [s for s in self._question.sections if s.parent == name]
        rows = []
        for row in group.rows if group else ():
            values = {"source": row[0].source, "slot": row[2]}
            values |= dict(zip(output.columns, row[len(ROW_HEAD) :], strict=False))
            for child in children:
                below = self._result.outputs[child.name]
                values[child.entity] = self._list(child.name, below, (row[0].source, row[1]))
            rows.append(values)
        return rows


class Connection:
    """One catalog and its identity store, for synchronous and asynchronous code.

    >>> # with connect("catalog") as roundview:
    >>> #     roundview.customer(phone="+49 30 123456").to_dict()
    """

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self._runner: asyncio.Runner | None = None

    def customer(self, **by: str) -> CustomerView:
        """Returns the view of the customer that one identifier names."""
        return self._run(self.customer_async(**by))  # type: ignore[no-any-return]

    async def customer_async(self, **by: str) -> CustomerView:
        """Returns the view of the customer that one identifier names."""
        if len(by) != 1:
            raise RequestError("name the customer by one identifier", hint='phone="…"')
        kind, value = next(iter(by.items()))
        request = Request(self.federation.principal)
        return CustomerView(*await self.federation.customer(Identifier(kind, value), request))

    def refresh(self, progress: Progress | None = None) -> Refreshed:
        """Rebuilds identity from the live key columns of every source."""
        return self._run(refresh_identity(self.federation, progress=progress))  # type: ignore[no-any-return]

    def states(self) -> list[dict[str, Any]]:
        """Returns whether each source may be asked."""
        return [
            {"name": s.name, "title": s.title, "state": s.state, "detail": s.detail}
            for s in self._run(self.federation.states())
        ]

    def close(self) -> None:
        """Frees every source."""
        self._run(self.federation.close())
        if self._runner is not None:
            self._runner.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.federation.close()

    def _run(self, coroutine: Any) -> Any:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)


def connect(
    catalog: Path | str,
    *,
    data_dir: Path | str | None = None,
    env: Mapping[str, str] | None = None,
) -> Connection:
    """Opens a catalog folder; the identity store lies in `data_dir` (default: beside it).

    Raises CatalogError with everything that is wrong with the catalog.
    """
    root = Path(catalog)
    data = Path(data_dir) if data_dir is not None else root.parent / "data"
    return Connection(Federation.open(root, data_dir=data, env=env))
