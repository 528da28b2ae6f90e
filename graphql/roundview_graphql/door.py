"""Decides how one operation is answered: compiled once, run by the federation, then built."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cachetools import LRUCache

from roundview_catalog.errors import CODES, CatalogError, RequestError, RoundviewError
from roundview_catalog.model import Catalog
from roundview_federation.access.policy import purpose_of
from roundview_federation.plan import Question
from roundview_federation.request import Decision, Principal, Request
from roundview_federation.result import Result, SourceStatus
from roundview_graphql.failures import MOST_ERRORS, Problem, shown, shown_withheld
from roundview_graphql.fallback import execute_over
from roundview_graphql.limits import Limits
from roundview_graphql.mutations import reveal_over
from roundview_graphql.operations import Operations, Ready, Refused
from roundview_graphql.problems import problems_of
from roundview_graphql.schema import make_schema

_SCHEMAS = 8
_PERSISTED = 256
_LOG = logging.getLogger("roundview.graphql")

Documents = Callable[[Request], Mapping[str, str]]
"""Returns the documents that whoever sends a request may ask by id: `sha256:…` -> text."""


class Answers(Protocol):
    """What the door needs of the federation."""

    @property
    def catalog(self) -> Catalog:
        """Returns the catalog that new questions are answered with."""

    def decide(
        self, principal: Principal, purpose: str = "", *, is_emergency: bool = False
    ) -> Decision:
        """Returns what a principal may see of the current catalog for a purpose."""

    async def run(self, question: Question, params: Mapping[str, Any], request: Request) -> Result:
        """Answers a question."""

    async def prepare(self, question: Question, principal: Principal, kinds: Sequence[str]) -> None:
        """Makes the plans of a question ahead of its first asking."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One GraphQL request: a document or the id of a persisted one.

    One that `is_safe` may change nothing, as a GET may not.
    """

    query: str = ""
    document_id: str = ""
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    is_safe: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One GraphQL response; `status` is the HTTP status of a request error, 200 otherwise."""

    body: dict[str, Any]
    status: int = 200


class Door:
    """Answers GraphQL operations; keeps one schema per catalog version and set of rules.

    `documents` is asked again when an id is unknown; ids of earlier answers stay known, so that
    a page loaded before a reload still works.
    """

    def __init__(
        self,
        federation: Answers,
        *,
        documents: Documents | None = None,
        introspection: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._federation = federation
        self._documents = documents
        self._introspection = introspection
        self._schemas: LRUCache[tuple[str, str], Operations] = LRUCache(_SCHEMAS)
        self._latest: dict[str, Operations] = {}
        self._making: dict[tuple[str, str], asyncio.Task[Operations]] = {}
        self._persisted: LRUCache[str, str] = LRUCache(_PERSISTED)

    async def prepare(
        self, principal: Principal, purpose: str = "", *, is_emergency: bool = False
    ) -> Operations:
        """Returns the operations of the current catalog, made in a thread if they are new."""
        catalog = self._federation.catalog
        decision = self._federation.decide(principal, purpose, is_emergency=is_emergency)
        key = (catalog.version, decision.policy_shape)
        known = self._schemas.get(key)
        if known is not None:
            return known
        return await asyncio.shield(self._make(key, catalog, decision))

    async def rehearse(self, ask: Ask, principal: Principal, kinds: Sequence[str]) -> None:
        """Compiles and plans an operation without asking any source.

        `kinds` are the identifier kinds that it will be asked by. Raises Refused for an
        operation that cannot be asked.
        """
        operations = await self.prepare(principal)
        text, digest = self._text(ask, Request(principal))
        ready = await asyncio.to_thread(
            operations.ready, text, digest, ask.operation_name, ask.variables
        )
        if ready.compiled is not None:
            await self._federation.prepare(ready.compiled.asked.question, principal, kinds)

    async def answer(self, ask: Ask, request: Request) -> Answer:
        """Answers one request; never raises but for cancellation."""
        try:
            purpose = purpose_of(request)
            operations = await self._operations(request, purpose)
            try:
                return await self._answer(operations, ask, request)
            except RequestError as error:
                if error.code != "RV102":
                    raise
                # The catalog changed between compiling and running: ask the new one.
                current = await self.prepare(
                    request.principal, purpose, is_emergency=request.is_emergency
                )
                if current is operations:
                    raise
                return await self._answer(current, ask, request)
        except Refused as refused:
            code = str(refused.problems[0]["extensions"]["rv"])
            return Answer({"errors": refused.problems}, CODES[code].http)
        except RoundviewError as error:
            if error.row.http == 500:
                return _broken(error)
            return Answer({"errors": [shown(error)]}, error.row.http)
        except Exception as error:  # noqa: BLE001  the last frame before the network
            return _broken(error)

    async def text(self, request: Request, purpose: str) -> str:
        """Returns the SDL that whoever sends a request sees for a purpose."""
        who = request.principal
        operations = await self.prepare(who, purpose, is_emergency=request.is_emergency)
        return operations.door.text

    async def _operations(self, request: Request, purpose: str) -> Operations:
        catalog = self._federation.catalog
        decision = self._federation.decide(
            request.principal, purpose, is_emergency=request.is_emergency
        )
        key = (catalog.version, decision.policy_shape)
        known = self._schemas.get(key)
        if known is not None:
            return known
        making = self._make(key, catalog, decision)
        latest = self._latest.get(decision.policy_shape)
        # While a new version is made, questions go to the one before, which still answers.
        return latest if latest is not None else await asyncio.shield(making)

    def _make(
        self, key: tuple[str, str], catalog: Catalog, decision: Decision
    ) -> asyncio.Task[Operations]:
        task = self._making.get(key)
        if task is None:
            task = asyncio.ensure_future(self._made(key, catalog, decision))
            self._making[key] = task
            task.add_done_callback(lambda done: self._is_made(key, done))
        return task

    async def _made(self, key: tuple[str, str], catalog: Catalog, decision: Decision) -> Operations:
        try:
            door = await asyncio.to_thread(make_schema, catalog, decision)
            operations = Operations(door, self.limits, introspection=self._introspection)
        except CatalogError as error:
            latest = self._latest.get(decision.policy_shape)
            if latest is None:
                raise
            # Names that GraphQL cannot have: the schema before keeps serving, as a bad catalog.
            _LOG.error("the catalog has no GraphQL schema: %s", error.message)
            operations = latest
        self._schemas[key] = operations
        self._latest[decision.policy_shape] = operations
        return operations

    def _is_made(self, key: tuple[str, str], done: asyncio.Task[Operations]) -> None:
        self._making.pop(key, None)
        if not done.cancelled() and done.exception() is not None:
            _LOG.error("making a schema failed: %s", type(done.exception()).__name__)

    async def _answer(self, operations: Operations, ask: Ask, request: Request) -> Answer:
        text, digest = self._text(ask, request)
        if operations.is_known(digest):
            ready = operations.ready(text, digest, ask.operation_name, ask.variables)
        else:
            ready = await asyncio.to_thread(
                operations.ready, text, digest, ask.operation_name, ask.variables
            )
        if ready.is_mutation:
            return await self._mutated(operations, ready, ask, request)
        if ready.compiled is None:
            return _without_data(operations, ready)
        result = await self._run(ready, request)
        asked, build = ready.compiled.asked, ready.compiled.build
        if build is None:
            data, problems = execute_over(
                operations.door,
                ready.document,
                ready.operation_name,
                ready.variables,
                asked,
                result,
            )
        else:
            data = build(result)
            problems = problems_of(asked, result, data)
        body: dict[str, Any] = {"data": data}
        if problems:
            body["errors"] = problems[:MOST_ERRORS]
        body["extensions"] = _extensions(result)
        return Answer(body)

    async def _mutated(
        self, operations: Operations, ready: Ready, ask: Ask, request: Request
    ) -> Answer:
        if ask.is_safe:
            error = RequestError("a GET changes nothing", code="RV103", hint="send a POST")
            return Answer({"errors": [shown(error)]}, 405)
        data, problems = await reveal_over(operations.door, ready, request, self._federation)
        return Answer({"data": data, "errors": problems} if problems else {"data": data})

    async def _run(self, ready: Ready, request: Request) -> Result:
        assert ready.compiled is not None  # noqa: S101  the caller asked for data
        question = ready.compiled.asked.question
        return await self._federation.run(question, ready.params, request)

    def _text(self, ask: Ask, request: Request) -> tuple[str, str]:
        if ask.document_id:
            text = self._persisted.get(ask.document_id)
            if text is None and self._documents is not None:
                self._persisted.update(self._documents(request))
                text = self._persisted.get(ask.document_id)
            if text is None:
                raise Refused(
                    [
                        shown(
                            RequestError(
                                "this document is not known here",
                                code="RV102",
                                hint="load the page again",
                            )
                        )
                    ]
                )
            return text, ask.document_id.removeprefix("sha256:")
        return ask.query, hashlib.sha256(ask.query.encode()).hexdigest()


def _without_data(operations: Operations, ready: Ready) -> Answer:
    data, problems = execute_over(
        operations.door, ready.document, ready.operation_name, ready.variables, None, None
    )
    body: dict[str, Any] = {"data": data}
    if problems:
        body["errors"] = problems
    return Answer(body)


def _extensions(result: Result) -> Problem:
    told: Problem = {
        "complete": result.complete,
        "sources": [_source(status, result) for status in result.sources],
    }
    if result.withheld:
        told["withheld"] = [shown_withheld(one) for one in result.withheld]
    return told


def _source(status: SourceStatus, result: Result) -> Problem:
    age = None
    if status.as_of is not None:
        age = max(0, round((result.fetched_at - status.as_of).total_seconds() * 1000))
    return {
        "name": status.name,
        "status": status.status,
        "asOf": status.as_of,
        "ageMs": age,
        "ms": status.ms,
        "rows": status.rows,
        "problems": status.problems,
        "truncated": status.is_truncated,
        "code": status.code or None,
        "rv": status.rv_code or None,
        "reason": status.reason or None,
        "hint": status.hint or None,
    }


def _broken(error: Exception) -> Answer:
    number = secrets.token_hex(8)
    # Only the kind and the place are logged: messages of drivers may hold values.
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else "?"
    _LOG.error("error %s: %s at %s", number, type(error).__name__, place)
    problem = {
        "message": f"internal error {number}",
        "extensions": {"code": "INTERNAL_ERROR", "rv": "RV900", "retryable": False},
    }
    return Answer({"errors": [problem]}, 500)
