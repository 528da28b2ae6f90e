"""Decides the sections that answer an outline, and how a request's values reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from roundview_federation.plan import Lookup, Page, Question, Section
from roundview_graphql.filters import Order, Structure, tree
from roundview_graphql.outline import Bound, Choices, Listed, Outline
from roundview_graphql.schema import DoorSchema
from roundview_graphql.selection import Selection
from roundview_graphql.vocabulary import HEAD_COLUMNS

_OWN = ("customer_id", "link_state")


@dataclass(frozen=True, slots=True)
class Asked:
    """An outline with its question; `columns`: section -> column -> place in its rows.

    `customers` are the sections of roots whose own fields are selected ("" where none is).
    """

    outline: Outline
    choices: Choices
    question: Question
    customers: tuple[str, ...]
    columns: dict[str, dict[str, int]]


def ask(outline: Outline, choices: Choices, door: DoorSchema, shape: str) -> Asked:
    """Returns the question of an outline: one section per list and one per root's own fields."""
    sections: list[Section] = []
    customers = []
    for at, root in enumerate(outline.roots):
        section = _customer(outline, choices, door, at)
        customers.append(root.name if section else "")
        if section:
            sections.append(section)
    for at, listed in enumerate(outline.lists):
        structure, order = choices.lists[at]
        parent = outline.lists[listed.parent].name if listed.parent >= 0 else ""
        sections.append(
            Section(
                name=listed.name,
                entity=listed.words.entity,
                tree=_list_tree(listed, structure, order, at),
                lookup=outline.roots[listed.root].name,
                parent=parent,
                page=Page(f"p{at}_first", f"p{at}_after", wants_cursor=_wants_cursor(listed)),
            )
        )
    question = Question(
        shape=shape,
        lookups=tuple(Lookup(root.name) for root in outline.roots),
        sections=tuple(sections),
        catalog_version=door.catalog_version,
    )
    columns = {
        section.name: {name: at for at, name in enumerate(section.columns)} for section in sections
    }
    return Asked(outline, choices, question, tuple(customers), columns)


def parameters(bound: Bound) -> dict[str, Any]:
    """Returns what `federation.run` is given beside the question."""
    params: dict[str, Any] = dict(bound.identifiers)
    for at, one in enumerate(bound.arguments):
        params[f"p{at}_first"] = one.first
        params[f"p{at}_after"] = one.after
        for index, value in enumerate(one.values):
            params[f"p{at}_w{index}"] = value
    return params


def _customer(outline: Outline, choices: Choices, door: DoorSchema, at: int) -> Section | None:
    root = outline.roots[at]
    words = door.words.customer
    columns = [words[s.name].column for s in root.selection.fields.values() if s.name in words]
    own = [name for name in dict.fromkeys(columns) if name not in _OWN]
    provenance = [
        name
        for origins, fields in zip(outline.origins, choices.origins, strict=True)
        if origins.root == at
        for name in fields
    ]
    if not own and not provenance:
        return None
    return Section(
        name=root.name,
        entity="customer",
        tree=_selecting("customer", [*_OWN, *own]),
        lookup=root.name,
        provenance=tuple(dict.fromkeys(provenance)),
    )


def _list_tree(listed: Listed, structure: Structure, order: Order, at: int) -> exp.Select:
    words = listed.words
    columns: list[str] = []
    for page_field in (listed.selected.below or Selection("")).fields.values():
        if page_field.name == "nodes" and page_field.below:
            columns += [
                words.columns[s.name].column
                for s in page_field.below.fields.values()
                if s.name in words.columns
            ]
    chosen = [name for name in dict.fromkeys(columns) if name not in HEAD_COLUMNS]
    # A section selects something even where only the head or the page is shown.
    select = _selecting(words.entity, chosen or ["source_updated_at"])
    where = tree(structure, f"p{at}_w")
    if where is not None:
        select = select.where(where, copy=False)
    for name, descending in order:
        select = select.order_by(exp.Ordered(this=exp.column(name), desc=descending), copy=False)
    return select


def _selecting(entity: str, columns: list[str]) -> exp.Select:
    return exp.select(*(exp.column(name) for name in columns)).from_(exp.to_table(entity))


def _wants_cursor(listed: Listed) -> bool:
    for field in (listed.selected.below or Selection("")).fields.values():
        if field.name == "pageInfo" and field.below:
            return any(below.name == "endCursor" for below in field.below.fields.values())
    return False
