"""Shows what every pass of the rewriter makes of a question: one golden file per pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

import roundview.demo
from roundview_catalog import expressions
from roundview_catalog.loader import load
from roundview_catalog.model import Catalog
from roundview_federation.access.policy import decide
from roundview_federation.connectors.files.connector import FilesConnector
from roundview_federation.connectors.port import Capabilities
from roundview_federation.connectors.rest.connector import RestConnector
from roundview_federation.connectors.sqlite.connector import SqliteConnector
from roundview_federation.plan import Fragment, KeySet, Section
from roundview_federation.request import Decision, Principal
from roundview_federation.rewrite.arrive import arrive
from roundview_federation.rewrite.authorize import authorize
from roundview_federation.rewrite.bounds import bounds
from roundview_federation.rewrite.context import RewriteContext
from roundview_federation.rewrite.derive import derive
from roundview_federation.rewrite.keyset import keyset
from roundview_federation.rewrite.push import FragmentDraft, Pushed, push
from roundview_federation.rewrite.qualify import qualify
from roundview_federation.rewrite.unfold import Unfolded, asked_of, unfold

GOLDEN = Path(__file__).parents[1] / "golden/rewrite"
CAPABILITIES: dict[str, Capabilities] = {
    "sqlite": SqliteConnector.capabilities,
    "files": FilesConnector.capabilities,
    "rest": RestConnector.capabilities,
}


@dataclass(frozen=True)
class Case:
    """A question, the role that asks it, and the source whose branches are shown."""

    title: str
    sql: str
    role: str
    source: str
    masks: tuple[tuple[str, str], ...] = ()

    @property
    def tree(self) -> exp.Select:
        """Returns the question as doors write it."""
        parsed = sqlglot.parse_one(self.sql, read="postgres")
        assert isinstance(parsed, exp.Select)
        for node in list(parsed.find_all(exp.Any)):
            if isinstance(node.this, exp.Paren):
                node.set("this", node.this.this)
        return parsed

    @property
    def section(self) -> Section:
        """Returns the section of a lookup named `who`."""
        entity = self.tree.args["from_"].this.name
        return Section("asked", entity, self.tree, "who")


CASES = (
    Case(
        "CRM addresses: two branches, two slots, a mask",
        "SELECT email_address, is_primary FROM contact_point_email WHERE domain = :domain",
        "agent",
        "crm",
        masks=(("email_address", "left(email_address, 1) || '…'"),),
    ),
    Case(
        "Orders of the tills: totals from children, a row filter",
        "SELECT order_number, grand_total FROM sales_order WHERE status = :status"
        " ORDER BY ordered_at DESC",
        "shop",
        "pos",
    ),
    Case(
        "Lines of orders: rows below a parent",
        "SELECT sku, quantity FROM sales_order_product WHERE quantity > :least",
        "demo",
        "pos",
    ),
    Case(
        "Cases of the desk: plain columns over REST",
        "SELECT case_number, status FROM support_case WHERE queue = ANY(:queues)",
        "agent",
        "support",
    ),
    Case(
        "Messages of the desk: a condition that waits for arrival",
        "SELECT body_excerpt FROM message WHERE direction = :direction",
        "agent",
        "support",
    ),
    Case(
        "People of the CRM: a masked birth date",
        "SELECT full_name, birth_date FROM individual WHERE birth_date = :born",
        "agent",
        "crm",
    ),
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load(Path(roundview.demo.__file__).parent / "catalog")


def test_qualify(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "qualify.sql", _pairs(catalog, 0))


def test_authorize(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "authorize.sql", _pairs(catalog, 1))


def test_keyset(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "keyset.sql", _pairs(catalog, 2))


def test_derive(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    case = Case(
        "The customer: read from records, masked there",
        "SELECT customer_id, full_name, birth_date, email FROM customer",
        "agent",
        "crm",
    )
    plan, reads = derive(case.section, catalog, _decision(case, catalog))
    shown = [_sql(case.tree), "-- becomes"]
    for read in reads:
        shown.append(_sql(read.tree))
        shown += [
            f"-- {f.name}: column {f.index}, {f.rule.rule} {' '.join(f.rule.trusted)}".rstrip()
            for f in plan.fields.values()
            if f.section == read.name
        ]
    golden(GOLDEN / "derive.sql", f"-- {case.title}\n" + "\n".join(shown) + "\n")


def test_unfold(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    texts = []
    for case in CASES:
        tree = _passes(case, catalog)[-1]
        lines = [f"-- {case.title}", _sql(tree), "-- becomes"]
        for unfolded in _unfolded(case, catalog):
            lines += [
                f"-- {unfolded.branch.id} {unfolded.slot}".rstrip(),
                _sql(unfolded.scan.select("1")),
            ]
            lines += [
                f"-- person {p.branch}: {'; '.join(map(_line, p.keys))}".replace(" :", ":")
                for p in unfolded.person
            ]
            lines += [f"-- mask {name}: {_line(mask)}" for name, mask in unfolded.masks.items()]
            if unfolded.row_filter is not None:
                lines.append(f"-- row filter: {_line(unfolded.row_filter)}")
            if unfolded.where is not None:
                lines.append(f"-- where: {_line(unfolded.where)}")
        texts.append("\n".join(lines) + "\n")
    golden(GOLDEN / "unfold.sql", "\n".join(texts))


def test_push(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    texts = []
    for case in CASES:
        drafts: dict[str, FragmentDraft] = {}
        lines = [f"-- {case.title}"]
        left: list[str] = []
        for unfolded in _unfolded(case, catalog):
            lines.append(_sql(unfolded.scan.select("1")))
            for pushed in _pushed(unfolded, drafts):
                arrive(unfolded, pushed, "asked")
                left += [f"-- on arrival: {_line(one)}" for one in pushed.residual]
        lines += ["-- becomes", *dict.fromkeys(left)]
        for draft in drafts.values():
            lines += _fragment(
                draft.fragment(), CAPABILITIES[catalog.sources[case.source].connector]
            )
        texts.append("\n".join(lines) + "\n")
    golden(GOLDEN / "push.sql", "\n".join(texts))


def test_masks_and_filters_never_reach_a_source(catalog: Catalog) -> None:
    """A source computes nothing of policy: what it could see of it, it could tell."""
    for case in CASES:
        for unfolded in _unfolded(case, catalog):
            drafts: dict[str, FragmentDraft] = {}
            for pushed in _pushed(unfolded, drafts):
                arrive(unfolded, pushed, "asked")
            for draft in drafts.values():
                tree = draft.fragment().tree
                assert not [c for c in tree.find_all(exp.Column) if c.table == "principal"]
                assert {p.name for p in tree.find_all(exp.Placeholder)} == {"keys"}


def _pairs(catalog: Catalog, at: int) -> str:
    texts = []
    for case in CASES:
        before, after = _passes(case, catalog)[at : at + 2]
        texts.append(f"-- {case.title}\n{_sql(before)}\n-- becomes\n{_sql(after)}\n")
    return "\n".join(texts)


def _passes(case: Case, catalog: Catalog) -> list[exp.Select]:
    """Returns the tree before and after each pass."""
    context = RewriteContext(catalog.canonical, _decision(case, catalog), case.section)
    trees = [case.tree]
    for rewrite in (qualify, authorize, keyset):
        trees.append(rewrite(trees[-1], context))
    return trees


def _decision(case: Case, catalog: Catalog) -> Decision:
    role = catalog.policy.roles[case.role]
    principal = Principal("test", (role.name,), {"region": "eu"}, role.purposes, role.purposes[0])
    decision = decide(catalog, principal)
    entity = case.section.entity
    masks = {(entity, column): expressions.parse(text) for column, text in case.masks}
    return replace(decision, masks={**decision.masks, **masks})


def _unfolded(case: Case, catalog: Catalog) -> Iterator[Unfolded]:
    tree = _passes(case, catalog)[-1]
    order = case.tree.args.get("order")
    sorting = [term.this.name for term in order.expressions] if order else []
    outputs = tuple(dict.fromkeys((*case.section.columns, *sorting)))
    joins = CAPABILITIES[catalog.sources[case.source].connector].joins
    for branch in catalog.branches(case.section.entity):
        if branch.source == case.source:
            yield from unfold(asked_of(tree), branch, catalog, outputs, joins=joins)


def _pushed(unfolded: Unfolded, drafts: dict[str, FragmentDraft]) -> Iterator[Pushed]:
    capabilities = CAPABILITIES[unfolded.source.connector]
    for bound in bounds(unfolded):
        keys = KeySet(
            "keys", unfolded.source.name, bound.branch, bound.types, bound.prefixes, lookup="who"
        )
        yield push(unfolded, bound, capabilities, drafts, keyset=keys)


def _fragment(fragment: Fragment, capabilities: Capabilities) -> Iterator[str]:
    yield f"-- {fragment.source}"
    yield _sql(fragment.tree)
    for child in fragment.children:
        yield f"-- rows below: {child.alias}"
        yield _sql(child.tree)


def _sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="postgres", pretty=True)


def _line(tree: exp.Expr) -> str:
    return tree.sql(dialect="postgres")
