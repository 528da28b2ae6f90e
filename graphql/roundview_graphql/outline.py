"""Decides which lists, lookups and origins an operation asks for, before values are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values

from roundview_catalog.errors import RequestError
from roundview_federation.plan import Identifier
from roundview_graphql.filters import Order, Structure, flatten, ordering
from roundview_graphql.limits import Limits
from roundview_graphql.schema import DoorSchema
from roundview_graphql.selection import Selected, Selection
from roundview_graphql.types import LARGEST_FIRST
from roundview_graphql.vocabulary import EntityWords

Path = tuple[str, ...]
"""Response keys from the root; `*` stands for the elements of a list."""

NO_VARIABLES = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class Root:
    """One `customer` or `customers` of an operation; `name` is its lookup and section."""

    name: str
    path: Path
    is_list: bool
    definition: GraphQLField
    selected: Selected
    selection: Selection


@dataclass(frozen=True, slots=True)
class Listed:
    """One list of records; `parent` is the index of the list that it lies below, else -1."""

    name: str
    path: Path
    root: int
    parent: int
    words: EntityWords
    definition: GraphQLField
    selected: Selected
    fields_per_row: int
    fixed: Arguments | None


@dataclass(frozen=True, slots=True)
class Origins:
    """One `provenance` of a customer; `fixed` are its fields where no variable decides."""

    path: Path
    root: int
    definition: GraphQLField
    selected: Selected
    beside: tuple[str, ...]
    fixed: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one list: what shapes the plan, and values."""

    structure: Structure
    order: Order
    values: tuple[Any, ...]
    first: int
    after: str | None


@dataclass(frozen=True, slots=True)
class Outline:
    """Everything that an operation asks, for one combination of `@skip` and `@include`.

    `is_built` is False where a builder cannot answer (introspection beside data).
    """

    selection: Selection
    roots: tuple[Root, ...]
    lists: tuple[Listed, ...]
    origins: tuple[Origins, ...]
    is_built: bool

    @property
    def asks_data(self) -> bool:
        """Tells whether any source or the identity store is asked."""
        return bool(self.roots)


@dataclass(frozen=True, slots=True)
class Choices:
    """What variables decide about the plan; equal choices share a compiled question."""

    lists: tuple[tuple[Structure, Order], ...]
    origins: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """The values of one request: arguments of every list, identifiers of every root."""

    choices: Choices
    arguments: tuple[Arguments, ...]
    identifiers: Mapping[str, list[Identifier]]


def outline(door: DoorSchema, selection: Selection) -> Outline:
    """Returns the outline of a selection."""
    return _Outliner(door).outline(selection)


def bind(asked: Outline, door: DoorSchema, variables: VariableValues, limits: Limits) -> Bound:
    """Returns the values of one request; RequestError RV105, RV115 where they cannot be asked."""
    arguments = tuple(
        one.fixed or _arguments(one.definition, one.selected, one.words, variables)
        for one in asked.lists
    )
    identifiers = {root.name: _identifiers(root, door, variables, limits) for root in asked.roots}
    _refuse_costly(asked, arguments, identifiers, limits)
    return Bound(
        Choices(
            tuple((one.structure, one.order) for one in arguments),
            tuple(
                one.fixed if one.fixed is not None else _origin_fields(one, door, variables)
                for one in asked.origins
            ),
        ),
        arguments,
        identifiers,
    )


class _Outliner:
    def __init__(self, door: DoorSchema) -> None:
        self._door = door
        self._roots: list[Root] = []
        self._lists: list[Listed] = []
        self._origins: list[Origins] = []

    def outline(self, selection: Selection) -> Outline:
        is_built = True
        for key, selected in selection.fields.items():
            if selected.name in ("__schema", "__type"):
                is_built = False
            elif selected.below is not None:
                is_list = selected.name == "customers"
                path: Path = (key, "*") if is_list else (key,)
                definition = self._definition("Query", selected.name)
                self._roots.append(Root(key, path, is_list, definition, selected, selected.below))
                self._customer(selected.below, path, len(self._roots) - 1)
        return Outline(
            selection, tuple(self._roots), tuple(self._lists), tuple(self._origins), is_built
        )

    def _customer(self, selection: Selection, path: Path, root: int) -> None:
        words = self._door.words
        beside = tuple(
            words.customer[s.name].column
            for s in selection.fields.values()
            if s.name in words.customer and s.name not in ("customerId", "linkState")
        )
        for key, selected in selection.fields.items():
            if selected.name == "provenance":
                origins = Origins(
                    (*path, key),
                    root,
                    self._definition("Customer", "provenance"),
                    selected,
                    beside,
                    None,
                )
                if not _has_variables(selected.node):
                    fixed = _origin_fields(origins, self._door, NO_VARIABLES)
                    origins = Origins(
                        origins.path, root, origins.definition, selected, beside, fixed
                    )
                self._origins.append(origins)
            elif selected.name in words.relations:
                entity = words.relations[selected.name]
                self._list(selected, entity, "Customer", (*path, key), root, -1)

    def _list(
        self, selected: Selected, entity: str, owner: str, path: Path, root: int, parent: int
    ) -> None:
        words = self._door.words.entities[entity]
        page = selected.below or Selection(f"{words.name}Page")
        definition = self._definition(owner, selected.name)
        rows = [(key, s) for key, s in page.fields.items() if s.name == "nodes"]
        count = sum(len(s.below.fields) for _, s in rows if s.below)
        fixed = None
        if not _has_variables(selected.node):
            fixed = _arguments(definition, selected, words, NO_VARIABLES)
        index = len(self._lists)
        name = ".".join(part for part in path if part != "*")
        self._lists.append(
            Listed(name, path, root, parent, words, definition, selected, max(1, count), fixed)
        )
        for key, nodes in rows:
            for below_key, below in (nodes.below.fields if nodes.below else {}).items():
                if below.name in words.children:
                    self._list(
                        below,
                        words.children[below.name],
                        words.name,
                        (*path, key, "*", below_key),
                        root,
                        index,
                    )

    def _definition(self, type_name: str, field: str) -> GraphQLField:
        known = self._door.schema.get_type(type_name)
        if not isinstance(known, GraphQLObjectType):
            raise RequestError(f"unknown type {type_name}", code="RV102")
        definition: GraphQLField = known.fields[field]
        return definition


def _arguments(
    definition: GraphQLField, selected: Selected, words: EntityWords, variables: VariableValues
) -> Arguments:
    given = _given(definition, selected.node, variables)
    first = given["first"]
    if not 0 <= first <= LARGEST_FIRST:
        raise RequestError(f"`first` is 0 to {LARGEST_FIRST}", code="RV105")
    structure, values = flatten(given.get("where"), words)
    return Arguments(
        structure,
        ordering(given.get("orderBy"), words),
        tuple(values),
        first,
        given.get("after"),
    )


def _given(definition: GraphQLField, node: FieldNode, variables: VariableValues) -> dict[str, Any]:
    try:
        return get_argument_values(definition, node, variables)
    except GraphQLError:
        raise RequestError(
            f"an argument of {node.name.value} is missing or null", code="RV105"
        ) from None


def _identifiers(
    root: Root, door: DoorSchema, variables: VariableValues, limits: Limits
) -> list[Identifier]:
    by = _given(root.definition, root.selected.node, variables)["by"]
    many = by if root.is_list else [by]
    if len(many) > limits.customers:
        raise RequestError(f"`by` names more than {limits.customers} customers", code="RV115")
    return [
        Identifier(door.words.identifiers[name], value)
        for one in many
        for name, value in one.items()
    ]


def _origin_fields(
    origins: Origins, door: DoorSchema, variables: VariableValues
) -> tuple[str, ...]:
    fields = _given(origins.definition, origins.selected.node, variables).get("fields")
    if fields is None:
        return tuple(dict.fromkeys(origins.beside))
    return tuple(dict.fromkeys(door.words.customer[name].column for name in fields))


def _refuse_costly(
    asked: Outline,
    arguments: tuple[Arguments, ...],
    identifiers: Mapping[str, list[Identifier]],
    limits: Limits,
) -> None:
    rows: list[int] = []
    total = 0
    for one, given in zip(asked.lists, arguments, strict=True):
        above = (
            rows[one.parent] if one.parent >= 0 else len(identifiers[asked.roots[one.root].name])
        )
        rows.append(above * given.first)
        total += rows[-1] * one.fields_per_row
    if total > limits.values:
        raise RequestError(
            f"the operation may return more than {limits.values} values",
            code="RV115",
            hint="ask for smaller pages with `first`",
        )


def _has_variables(node: FieldNode) -> bool:
    return any(_names_variable(argument.value) for argument in node.arguments or ())


def _names_variable(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(_names_variable(one) for one in value.values)
    if isinstance(value, ObjectValueNode):
        return any(_names_variable(one.value) for one in value.fields)
    return isinstance(value, VariableNode)
