"""Decides what one operation selects: fields merged by response key, fragments dissolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    print_ast,
)

from roundview_catalog.errors import RequestError

Booleans = Mapping[str, bool]


@dataclass(slots=True)
class Selected:
    """One field of an answer; `node` is its first occurrence, `below` what it selects."""

    key: str
    name: str
    node: FieldNode
    below: Selection | None = None


@dataclass(slots=True)
class Selection:
    """The merged fields of one object, in the order of the answer."""

    type: str
    fields: dict[str, Selected] = field(default_factory=dict)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Returns the fragments of a document by name."""
    return {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }


def select(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    operation: OperationDefinitionNode,
    booleans: Booleans | None,
) -> Selection:
    """Returns what an operation selects when the variables of its conditions have these values.

    The document is valid. All types of the schema are object types, so a fragment applies
    exactly where its type is the parent's. With `booleans` None every condition is ignored;
    then fields of one response key must agree, or RequestError RV100: with object types only,
    this is the whole of the rule "Field Selection Merging" (GraphQL, September 2025, 5.3.2),
    at a cost that grows with the number of fields instead of its square.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        raise RequestError(f"there is no {operation.operation.value} here", code="RV103")
    return _Collector(schema, fragments, booleans).collect(root.name, [operation.selection_set])


def condition_variables(document: DocumentNode) -> frozenset[str]:
    """Returns the variables that decide `@skip` and `@include` anywhere in a document."""
    found: set[str] = set()
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            found.update(_conditions(node.selection_set))
    return frozenset(found)


class _Collector:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        booleans: Booleans | None,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._booleans = booleans

    def collect(self, type_name: str, sets: list[SelectionSetNode]) -> Selection:
        groups: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for one in sets:
            self._gather(one, type_name, groups, spread)
        result = Selection(type_name)
        for key, nodes in groups.items():
            first = nodes[0]
            if self._booleans is None:
                _refuse_conflicts(key, nodes)
            selected = Selected(key, first.name.value, first)
            below = [node.selection_set for node in nodes if node.selection_set]
            if below and not selected.name.startswith("__"):
                selected.below = self.collect(self._field_type(type_name, selected.name), below)
            result.fields[key] = selected
        return result

    def _gather(
        self,
        selections: SelectionSetNode,
        type_name: str,
        groups: dict[str, list[FieldNode]],
        spread: set[str],
    ) -> None:
        for node in selections.selections:
            if self._is_left_out(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                groups.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or condition.name.value == type_name:
                    self._gather(node.selection_set, type_name, groups, spread)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                fragment = self._fragments[name]
                if name in spread or fragment.type_condition.name.value != type_name:
                    continue
                spread.add(name)
                self._gather(fragment.selection_set, type_name, groups, spread)

    def _is_left_out(self, node: SelectionNode) -> bool:
        if self._booleans is None:
            return False
        for directive in node.directives or ():
            if directive.name.value == "skip" and _condition(directive, self._booleans):
                return True
            if directive.name.value == "include" and not _condition(directive, self._booleans):
                return True
        return False

    def _field_type(self, type_name: str, field_name: str) -> str:
        parent = self._schema.get_type(type_name)
        if not isinstance(parent, GraphQLObjectType):
            raise RequestError(f"unknown type {type_name}", code="RV102")
        return str(get_named_type(parent.fields[field_name].type))


def _condition(directive: DirectiveNode, booleans: Booleans) -> bool:
    value = (directive.arguments or ())[0].value
    if isinstance(value, VariableNode):
        return booleans[value.name.value]
    return bool(getattr(value, "value", False))


def _conditions(selections: SelectionSetNode) -> Iterator[str]:
    for node in selections.selections:
        for directive in node.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    yield argument.value.name.value
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set:
            yield from _conditions(node.selection_set)


def _refuse_conflicts(key: str, nodes: list[FieldNode]) -> None:
    if len(nodes) == 1:
        return
    first = nodes[0]
    arguments = _arguments(first)
    for node in nodes[1:]:
        if node.name.value != first.name.value or _arguments(node) != arguments:
            raise RequestError(
                f"{key} is selected twice with different fields or arguments",
                code="RV100",
                hint="give one of them an alias",
            )


def _arguments(node: FieldNode) -> dict[str, str]:
    return {a.name.value: print_ast(a.value) for a in node.arguments or ()}
