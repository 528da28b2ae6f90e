"""Decides what is remembered about operations, so that each is read and compiled once."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    ValueNode,
    VariableDefinitionNode,
    print_ast,
    specified_rules,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from roundview_catalog.errors import RequestError
from roundview_graphql.builder import Build, make_builder
from roundview_graphql.failures import Problem, shown, shown_mistake
from roundview_graphql.limits import Limits, read_document, refuse_large
from roundview_graphql.outline import Choices, Outline, bind, outline
from roundview_graphql.question import Asked, ask, parameters
from roundview_graphql.schema import DoorSchema
from roundview_graphql.selection import condition_variables, fragments_of, select

_DOCUMENTS = 512
_COMPILED = 64
_MOST_MISTAKES = 10

# `select` refuses the same documents at a cost that is linear in their fields.
_RULES = tuple(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule)
_ONE_OF = "OneOf Input Object"
_VARIABLE = re.compile(r"Variable '\$(\w+)'")


class Refused(Exception):
    """The request cannot be answered at all; `problems` say why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__("request refused")
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A question with the builder of its answers; the builder is None where there is none."""

    asked: Asked
    build: Build | None


@dataclass(frozen=True, slots=True)
class Ready:
    """One request, ready to run; `compiled` is None where no data is asked, or for a mutation."""

    document: DocumentNode
    operation_name: str | None
    variables: Mapping[str, Any]
    compiled: Compiled | None
    params: Mapping[str, Any]
    is_mutation: bool = False


@dataclass(slots=True)
class _Known:
    document: DocumentNode
    fragments: Mapping[str, FragmentDefinitionNode]
    operations: tuple[OperationDefinitionNode, ...]
    conditions: frozenset[str]
    compiled: LRUCache[Any, Any]


class Operations:
    """Remembers the documents of one schema; safe to use from several threads."""

    def __init__(self, door: DoorSchema, limits: Limits, *, introspection: bool) -> None:
        self.door = door
        self._limits = limits
        self._introspection = introspection
        self._known: LRUCache[str, _Known] = LRUCache(_DOCUMENTS)
        self._lock = threading.Lock()

    def is_known(self, digest: str) -> bool:
        """Tells whether a document was read before."""
        return digest in self._known

    def ready(
        self,
        text: str,
        digest: str,
        operation_name: str | None,
        variables: Mapping[str, Any],
    ) -> Ready:
        """Returns a request ready to run; raises Refused for one that cannot be asked."""
        try:
            with self._lock:
                known = self._known.get(digest)
            if known is None:
                known = self._read(text)
                with self._lock:
                    self._known[digest] = known
            operation = _operation(known.operations, operation_name)
            values = self._coerced(operation, variables)
            return self._bound(known, digest, operation, operation_name, variables, values)
        except RequestError as error:
            raise Refused([shown(error)]) from None

    def _read(self, text: str) -> _Known:
        document = read_document(text, self._limits)
        refuse_large(document, self._limits)
        mistakes = validate(
            self.door.schema,
            document,
            _RULES,
            max_errors=_MOST_MISTAKES,
            hide_suggestions=not self._introspection,
        )
        if mistakes:
            raise Refused(shown_mistake(_without_values(one, ())) for one in mistakes)
        fragments = fragments_of(document)
        operations = tuple(
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        )
        for operation in operations:
            selection = select(self.door.schema, fragments, operation, None)
            asks = [one.name for one in selection.fields.values()]
            if not self._introspection and ("__schema" in asks or "__type" in asks):
                raise RequestError("introspection is switched off here", code="RV103")
        return _Known(
            document, fragments, operations, condition_variables(document), LRUCache(_COMPILED)
        )

    def _coerced(
        self, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> VariableValues:
        self._refuse_many(operation, variables)
        values = get_variable_values(
            self.door.schema,
            operation.variable_definitions or (),
            dict(variables),
            max_errors=_MOST_MISTAKES,
            hide_suggestions=True,
        )
        if isinstance(values, list):
            declared = operation.variable_definitions or ()
            raise Refused(shown_mistake(_without_values(one, declared)) for one in values)
        return values

    def _refuse_many(
        self, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> None:
        # Every identifier is parsed when it is coerced, so they are counted before.
        most = self._limits.customers
        for definition in operation.variable_definitions or ():
            value = variables.get(definition.variable.name.value)
            if not isinstance(value, list) or len(value) <= most:
                continue
            if print_ast(definition.type).strip("[]!") == "CustomerBy":
                raise RequestError(f"`by` names more than {most} customers", code="RV115")

    def _bound(
        self,
        known: _Known,
        digest: str,
        operation: OperationDefinitionNode,
        operation_name: str | None,
        variables: Mapping[str, Any],
        values: VariableValues,
    ) -> Ready:
        if operation.operation is OperationType.MUTATION:
            return Ready(known.document, operation_name, variables, None, {}, is_mutation=True)
        booleans = {
            name: bool(values.coerced[name]) for name in known.conditions if name in values.coerced
        }
        kind = (operation.name.value if operation.name else "", tuple(sorted(booleans.items())))
        with self._lock:
            asked: Outline | None = known.compiled.get(kind)
        if asked is None:
            asked = outline(
                self.door, select(self.door.schema, known.fragments, operation, booleans)
            )
            with self._lock:
                known.compiled[kind] = asked
        if not asked.asks_data:
            return Ready(known.document, operation_name, variables, None, {})
        bound = bind(asked, self.door, values, self._limits)
        key = (kind, bound.choices)
        with self._lock:
            compiled: Compiled | None = known.compiled.get(key)
        if compiled is None:
            compiled = self._compile(asked, bound.choices, f"{digest}:{kind!r}")
            with self._lock:
                known.compiled[key] = compiled
        return Ready(known.document, operation_name, variables, compiled, parameters(bound))

    def _compile(self, asked: Outline, choices: Choices, shape: str) -> Compiled:
        named = hashlib.sha256(f"{shape}:{choices!r}".encode()).hexdigest()
        question = ask(asked, choices, self.door, f"graphql:{named}")
        return Compiled(question, make_builder(question, self.door) if asked.is_built else None)


def _operation(
    operations: tuple[OperationDefinitionNode, ...], name: str | None
) -> OperationDefinitionNode:
    if name is None:
        if len(operations) == 1:
            return operations[0]
        raise RequestError(
            "the document does not have exactly one operation", hint="send operationName"
        )
    for operation in operations:
        if operation.name and operation.name.value == name:
            return operation
    raise RequestError("the document has no operation of this name", code="RV102")


def _without_values(
    error: GraphQLError, declared: Sequence[VariableDefinitionNode]
) -> GraphQLError:
    # graphql-core quotes what was sent; an identifier that does not parse is personal data.
    message = error.message
    given = dict(error.extensions or {})
    if given.get("rv"):
        message = str(given.pop("message", "a value does not fit its type"))
    elif declared:
        named = _VARIABLE.match(message)
        types = {one.variable.name.value: print_ast(one.type) for one in declared}
        name = named.group(1) if named else ""
        message = f"variable ${name} is not a {types.get(name, 'value of its type')}"
        given = {"rv": "RV105"}
    elif any(isinstance(node, ValueNode) for node in error.nodes or ()):
        message = "a value does not fit its type"
        given = {"rv": "RV105"}
    if _ONE_OF in error.message:
        given["hint"] = "name exactly one field, not null"
    return GraphQLError(message, nodes=error.nodes, extensions=given)
