"""Answers questions over the canonical schema: the one path behind every door."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roundview_catalog.errors import CatalogError
from roundview_catalog.loader import load
from roundview_catalog.model import Catalog
from roundview_federation.access.principals import DEMO, Authenticator
from roundview_federation.access.versions import PolicyVersions
from roundview_federation.agreement import being_read, withheld
from roundview_federation.audit.log import AuditLog, AuditPlace
from roundview_federation.audit.questions import Questions
from roundview_federation.candidates import with_candidates
from roundview_federation.checks import hidden_sections, mark_mismatched, recheck, restate
from roundview_federation.execute.cursors import CursorSeal
from roundview_federation.execute.customers import Customers
from roundview_federation.execute.rounds import finish, gather, utc_now
from roundview_federation.plan import Identifier, Lookup, Plan, Question
from roundview_federation.request import Decision, Principal, Request
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.resilience.sharing import shared
from roundview_federation.result import Found, Result
from roundview_federation.rewrite.sealing import KEY_BYTES, KeySealing
from roundview_federation.snapshot import Snapshot, SourceState
from roundview_federation.whole import whole_customer
from roundview_identity.keys import Keys
from roundview_identity.rules import Rules
from roundview_identity.store import Xref

if TYPE_CHECKING:
    from roundview_federation.engines.duckdb.pool import DuckDBEngine
    from roundview_federation.engines.trino.engine import TrinoEngine
    from roundview_federation.sql.answered import SqlResult
    from roundview_federation.sql.arguments import Arguments, Described
    from roundview_federation.sql.explanation import Explanation
    from roundview_federation.sql.question import SqlQuestions
    from roundview_federation.sql.trino.running import TrinoQuestions

_LOOK_UP = "lookup"


class Federation:
    """Holds the current catalog snapshot and the identity store, and runs questions."""

    def __init__(
        self,
        root: Path,
        xref: Xref,
        keys: Keys,
        *,
        data_dir: Path,
        env: Mapping[str, str],
        audit: AuditPlace,
        clock: Callable[[], datetime] = utc_now,
        processes: int = 1,
    ) -> None:
        self.root = root
        self.xref = xref
        self.principal: Principal = DEMO
        self._env = env
        self._processes = processes
        self.clock = clock
        self.audit_log = AuditLog(audit, keys, clock=clock)
        self._audit = Questions(self.audit_log, clock)
        self._seal = CursorSeal(keys.derive("cursor"))
        self._sealing = KeySealing(keys.derive("source keys", KEY_BYTES))
        self._versions = PolicyVersions(data_dir)
        self._current = Snapshot(self._load(), xref, sealing=self._sealing, env=env, clock=clock)
        hidden, access = keys.derive("unknown users"), self.catalog.access
        self.access = Authenticator(root, data_dir, env, clock, access, secret=hidden)
        self._retired: list[Snapshot] = []
        self.reload_problem: CatalogError | None = None
        self._sql: SqlQuestions | None = None
        self._duckdb: DuckDBEngine | None = None
        self._trino: TrinoEngine | None = None

    @classmethod
    def open(
        cls,
        root: Path | str,
        *,
        data_dir: Path | str,
        secret: bytes | Path | None = None,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = utc_now,
        processes: int = 1,
        audit: AuditPlace | None = None,
    ) -> Federation:
        """Loads a catalog folder and opens the identity store in `data_dir`; no source is asked.

        `secret` is the root secret or its file (default: `secret` in `data_dir`, made on first
        use); `processes`, how many serve this folder, share the limits of the sources; `audit` is
        where questions are recorded (default: in `data_dir`). Raises CatalogError.
        """
        data = Path(data_dir)
        data.mkdir(parents=True, exist_ok=True)
        if isinstance(secret, bytes):
            keys = Keys(secret)
        else:
            keys = Keys.from_file(secret or data / "secret", create=True)
        xref = Xref.open(data / "xref.db", keys)
        return cls(
            Path(root),
            xref,
            keys,
            data_dir=data,
            env=dict(os.environ if env is None else env),
            audit=audit or AuditPlace.beside(data),
            clock=clock,
            processes=processes,
        )

    @property
    def catalog(self) -> Catalog:
        """Returns the catalog that new questions are answered with."""
        return self._current.catalog

    @property
    def current(self) -> Snapshot:
        """Returns the snapshot that new questions are answered with."""
        return self._current

    async def authenticate(
        self, credential: str | None, *, is_local: bool, address: str = ""
    ) -> Principal:
        """Returns who asks with a token or an API key; raises AccessError RV302, RV306."""
        known = self.catalog, credential, is_local, self.principal
        return await self.access.authenticate(*known, address)

    def decide(
        self, principal: Principal, purpose: str = "", *, is_emergency: bool = False
    ) -> Decision:
        """Returns what a principal may see of the current catalog for a purpose."""
        return self._current.decide(principal, purpose, is_emergency=is_emergency)

    def rules(self) -> Rules:
        """Returns the identity rules of the current catalog."""
        return Rules.of(self.catalog)

    def normalized(self, identifier: Identifier) -> tuple[str, ...]:
        """Returns the normal forms of an identifier; raises RV101 for an impossible one."""
        return self._current.finder.normalized(identifier)

    async def run(self, question: Question, params: Mapping[str, Any], request: Request) -> Result:
        """Answers a question: lookups, one plan, all sources at once, steps, provenance.

        `params[lookup.name]` is the list of Identifiers of each lookup; the other parameters
        are what the sections' placeholders and pages name. Sources that fail leave labelled
        gaps; only requests that cannot be asked raise.
        """
        snapshot = self._snapshot(question.catalog_version)
        snapshot.in_flight += 1
        try:
            with self._audit.refusals(request):
                return await self._answer(snapshot, question, params, request)
        finally:
            snapshot.in_flight -= 1

    async def prepare(self, question: Question, principal: Principal, kinds: Sequence[str]) -> None:
        """Makes the plans of a question ahead of its first asking, one per identifier kind."""
        snapshot = self._snapshot(question.catalog_version)
        decision = snapshot.decide(principal)
        for kind in kinds:
            await _plan(
                snapshot, question, decision, {one.name: [kind] for one in question.lookups}
            )

    async def customer(
        self, identifier: Identifier, request: Request, *, first: int = 20
    ) -> tuple[Question, Result]:
        """Answers with the whole customer: every entity that the principal may see."""
        with self._audit.refusals(request):
            decision = self._current.decide_for(request)
        question, params = whole_customer(self.catalog, decision, identifier, first)
        return question, await self.run(question, params, request)

    async def sql(
        self,
        text: str,
        request: Request,
        *,
        engine: str = "auto",
        arguments: Arguments | None = None,
    ) -> SqlResult:
        """Answers one SELECT over the canonical schema; read the result, or close it.

        `engine` is auto, direct (none: refused where one is needed), embedded or trino;
        `arguments` are what is said for $1, $2 … Raises RequestError with SQLSTATE and position
        for what cannot be asked, SourceError where a source failed (unless the request is
        partial), EngineError where finishing did.
        """
        with self._asked(request) as questions:
            return await questions.run(
                text, request, self._engine(), choice=engine, arguments=arguments
            )

    async def describe_sql(self, text: str, types: tuple[str, ...], request: Request) -> Described:
        """Returns columns and parameters of one SELECT; `types` are those that are declared."""
        with self._asked(request) as questions:
            return await questions.describe(text, types, request)

    async def explain_sql(
        self, text: str, request: Request, *, analyze: bool = False, engine: str = "auto"
    ) -> Explanation:
        """Says how `sql` answers a SELECT; with `analyze` it is answered, its rows dropped."""
        with self._asked(request) as questions:
            return await questions.explain(text, request, self._engine(), engine, analyze=analyze)

    async def states(self) -> tuple[SourceState, ...]:
        """Returns whether each source may be asked, proved now."""
        return await self._current.states()

    async def warm(self, sources: Collection[str] | None = None) -> None:
        """Lets sources connect and prepare ahead of the first question; never raises.

        Waits for the slowest of `sources` (None: all), 5 s at most.
        """
        await self._current.warm(sources)

    async def reload(self) -> bool:
        """Loads the catalog folder again; keeps serving the old one if the new one is wrong.

        Returns whether the catalog changed. Running questions end with the snapshot that
        they began with.
        """
        try:
            catalog = await asyncio.to_thread(self._load)
            if catalog.version == self.catalog.version:
                self.reload_problem = None
                return False
            fresh = await asyncio.to_thread(
                Snapshot,
                catalog,
                self.xref,
                env=self._env,
                clock=self.clock,
                previous=self._current,
                sealing=self._sealing,
            )
        except CatalogError as error:
            self.reload_problem = error
            return False
        self.reload_problem = None
        self._retired.append(self._current)
        self._current = fresh
        await self._close_retired()
        return True

    async def close(self) -> None:
        """Closes every source, the audit log and the identity store."""
        for snapshot in self._retired:
            await snapshot.close(keep=[self._current])
        await self._current.close()
        if self._duckdb is not None:
            await self._duckdb.close()
        if self._trino is not None:
            await self._trino.close()
        self._retired.clear()
        await asyncio.to_thread(self.audit_log.close)
        self.access.close()
        self.xref.close()

    def _load(self) -> Catalog:
        catalog = load(self.root, env=self._env)
        self._versions.keep(catalog, self.clock())
        return shared(catalog, self._processes)

    @contextmanager
    def _asked(self, request: Request) -> Iterator[SqlQuestions]:
        questions, snapshot = self._questions(), self._current
        snapshot.in_flight += 1
        try:
            with self._audit.refusals(request):
                yield questions
        finally:
            snapshot.in_flight -= 1

    def _questions(self) -> SqlQuestions:
        # Imported here: Arrow and DuckDB take longer to import than a view takes to answer.
        from roundview_federation.sql.question import SqlQuestions

        if self._sql is None or self._sql.snapshot is not self._current:
            self._sql = SqlQuestions(
                self._current,
                self.xref,
                self.clock,
                self._find_live,
                self._audit,
                self._trino_questions(),
            )
        return self._sql

    async def _find_live(self, identifier: Identifier, request: Request) -> Found:
        """Finds one customer, as every door does: the value must be on a live record."""
        question = Question(_LOOK_UP, (Lookup(_LOOK_UP),), ())
        result = await self.run(question, {_LOOK_UP: [identifier]}, request)
        return result.found[_LOOK_UP][0]

    def _trino_questions(self) -> TrinoQuestions | None:
        """Returns what asks the Trino of the current catalog; the same while that is the same."""
        told = self.catalog.engines.trino
        if told is None:
            return None
        from roundview_federation.sql.trino.running import trino_questions

        found = trino_questions(told, self.root, self._env, self._trino)
        self._trino = found.engine
        return found

    def _engine(self) -> DuckDBEngine:
        from roundview_federation.engines.duckdb.pool import DuckDBEngine

        if self._duckdb is None:
            self._duckdb = DuckDBEngine()
        return self._duckdb

    async def _answer(
        self,
        snapshot: Snapshot,
        question: Question,
        params: Mapping[str, Any],
        request: Request,
    ) -> Result:
        decision = snapshot.decide_for(request)
        canonical = snapshot.catalog.canonical
        identifiers = {lookup.name: params[lookup.name] for lookup in question.lookups}
        asked = {
            name: [(one.kind, snapshot.finder.normalized(one)) for one in many]
            for name, many in identifiers.items()
        }
        kinds = {name: [kind for kind, _ in many] for name, many in asked.items()}
        plan = await _plan(snapshot, question, decision, kinds)
        # A plan is made once, by us: it takes nothing from the time that sources have.
        deadline = Deadline.after(request.timeout_seconds or snapshot.catalog.deadlines.view)
        find = snapshot.finder.find_each
        found = {name: await find(many, decision, deadline) for name, many in identifiers.items()}
        found = await with_candidates(found, snapshot, decision, self.xref, deadline, self.clock)
        customers = {name: Customers.of(ones, self.xref.members) for name, ones in found.items()}
        bound = {**params, **{f"principal.{k}": v for k, v in decision.attributes.items()}}
        by = [kind for many in kinds.values() for kind in many]
        reading = being_read(plan, customers, snapshot, decision, self.xref, deadline, self.clock)
        asked_of = self._audit.of_plan(plan, request, decision, found, by)
        async with asked_of as asking, reading as agreed:
            gathered = await gather(
                plan,
                customers,
                bound,
                deadline,
                catalog=snapshot.catalog,
                connectors=snapshot.connectors,
                clock=self.clock,
                agreed=agreed,
            )
            asking.statuses = gathered.statuses
        for name, ones in found.items():
            kept = recheck(name, ones, asked[name], gathered, plan, canonical)
            who = customers[name]
            kept = mark_mismatched(name, kept, who, gathered, plan, self.xref, canonical)
            found[name] = kept
            who.ids = [one.customer_id for one in kept]
            restate(plan.sections, who, gathered, name)
        outputs = finish(plan, gathered, customers, bound, self._seal)
        without = withheld(plan, customers, decision, canonical.customer_fields, gathered.agreed)
        return Result(found, outputs, gathered.statuses, self.clock(), without)

    def _snapshot(self, version: str) -> Snapshot:
        if version and version != self._current.catalog.version:
            for snapshot in self._retired:
                if snapshot.catalog.version == version:
                    return snapshot
        return self._current

    async def _close_retired(self) -> None:
        # The newest retired snapshot stays: a door may still hold a question compiled for it.
        for snapshot in self._retired[:-1]:
            if snapshot.in_flight == 0:
                self._retired.remove(snapshot)
                await snapshot.close(keep=[self._current, *self._retired])


async def _plan(
    snapshot: Snapshot, question: Question, decision: Decision, kinds: Mapping[str, Sequence[str]]
) -> Plan:
    """Returns the plan for lookups by some kinds: each kind is read again, to re-check it."""
    asked = {name: frozenset(many) for name, many in kinds.items()}
    return await snapshot.planner.prepare(
        question,
        decision,
        hidden=lambda: hidden_sections(question, asked, snapshot.catalog.canonical),
        variant=";".join(f"{n}={','.join(sorted(k))}" for n, k in sorted(asked.items())),
    )
