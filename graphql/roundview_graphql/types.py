"""Decides the GraphQL types of one vocabulary, made with strawberry at run time."""

from __future__ import annotations

import sys
import types
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, NewType, Optional

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from roundview_catalog.model import Canonical
from roundview_catalog.types import Kind
from roundview_graphql.names import camel
from roundview_graphql.scalars import DESCRIPTIONS, SCALAR_OF, identifier_scalar
from roundview_graphql.vocabulary import Column, EntityWords, Vocabulary

DEFAULT_FIRST = 20
LARGEST_FIRST = 200
MASKED_FIELD = "MaskedField"
_EQUAL = ("eq", "in")
_COMPARED = ("gt", "ge", "lt", "le")
_UNORDERED = frozenset({"Boolean"})
_PYTHON = {"String": "str", "Int": "int", "Float": "float", "Boolean": "bool"}
_COMMENTS = {
    "eq": "Equals the value.",
    "in": "Equals one of the values.",
    "gt": "Lies above the value.",
    "ge": "Equals the value or lies above it.",
    "lt": "Lies below the value.",
    "le": "Equals the value or lies below it.",
    "isNull": "Is absent (true) or present (false).",
}


def strawberry_schema(words: Vocabulary, canonical: Canonical) -> strawberry.Schema:
    """Returns the strawberry schema of a vocabulary; its printed form is deterministic."""
    with _namespace() as space:
        maker = _Maker(space)
        scalar_map = maker.scalars(words, canonical)
        maker.shared(words)
        for entity in words.entities.values():
            maker.entity(entity)
        maker.customer(words, canonical)
        config = StrawberryConfig(auto_camel_case=False, scalar_map=scalar_map, sort_schema=True)
        mutation = maker.mutation(words) if words.masked else None
        return strawberry.Schema(query=maker.query(), mutation=mutation, config=config)


@contextmanager
def _namespace() -> Iterator[types.ModuleType]:
    # strawberry resolves string annotations through the module that a class names.
    module = types.ModuleType(f"roundview_graphql_types_{uuid.uuid4().hex}")
    module.__dict__["Optional"] = Optional
    module.__dict__["Maybe"] = strawberry.Maybe
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        del sys.modules[module.__name__]


class _Maker:
    def __init__(self, space: types.ModuleType) -> None:
        self._space = space

    def scalars(self, words: Vocabulary, canonical: Canonical) -> dict[Any, Any]:
        texts = dict(DESCRIPTIONS)
        for kind in words.identifiers.values():
            texts[identifier_scalar(kind)] = (
                canonical.identifiers[kind].comment or f"A {kind.replace('_', ' ')}, as said."
            )
        result: dict[Any, Any] = {}
        for name, text in texts.items():
            marker = NewType(name, str)  # type: ignore[misc]
            self._space.__dict__[name] = marker
            result[marker] = strawberry.scalar(name=name, description=text)
        return result

    def shared(self, words: Vocabulary) -> None:
        self._enum("Direction", {"ASC": "asc", "DESC": "desc"}, "Order; absent values come last.")
        for name, values in words.enums.items():
            self._enum(name, values, "")
        self._object(
            "PageInfo",
            "Where a page ends.",
            [
                _field("hasNextPage", "bool", "More rows follow."),
                _field("endCursor", "Optional[str]", "Send as `after` for the next page."),
            ],
        )
        self._object(
            "RecordProvenance",
            "Where a record comes from.",
            [
                _field("source", "str", "Full name of the source."),
                _field("sourceKey", "str", "Key of the record in its source."),
                _field("fetchedAt", "DateTime", "When it was read."),
                _field("asOf", "DateTime", "Age of the data."),
            ],
        )
        self._object(
            "LosingValue",
            "A value that was not chosen.",
            [
                _field("value", "Optional[str]", "The value as text."),
                _field("source", "str", "Source that says so."),
            ],
        )
        for kind in dict.fromkeys(SCALAR_OF.values()):
            if kind != "JSON":
                self._filter(kind, _PYTHON.get(kind, kind), is_ordered=kind not in _UNORDERED)
        for name in words.enums:
            self._filter(name, name, is_ordered=False)

    def entity(self, words: EntityWords) -> None:
        fields = [_field(c.name, _output(c), c.comment) for c in words.columns.values()]
        fields.append(
            _field("provenance", "Optional[RecordProvenance]", "Where this record comes from.")
        )
        fields += [self._list(name, entity) for name, entity in words.children.items()]
        self._object(words.name, words.comment, fields)
        self._object(
            f"{words.name}Page",
            f"One page of {words.name}, with what is missing from it.",
            [
                _field("nodes", f"list[{words.name}]", "The rows."),
                _field("complete", "bool", "Every source that was asked gave everything."),
                _field("missingSources", "list[str]", "Sources that gave nothing or too late."),
                _field("pageInfo", "PageInfo", "Where the page ends."),
            ],
        )
        where = f"{words.name}Where"
        inputs = [
            _input("and", f"Optional[list[{where}]]", "All of these."),
            _input("or", f"Optional[list[{where}]]", "At least one of these."),
            _input("not", f"Optional[{where}]", "Not this; unknown stays unknown, as in SQL."),
        ]
        filtered = [c for c in words.columns.values() if c.is_filtered]
        inputs += [
            _input(c.name, f"Optional[{c.enum or SCALAR_OF[c.type.kind]}Filter]", c.comment)
            for c in filtered
        ]
        self._input_object(where, f"Which {words.name}; several fields must all hold.", inputs)
        self._input_object(
            f"{words.name}Order",
            "One field and its direction.",
            [_field(c.name, "Maybe[Direction]", c.comment) for c in filtered],
            one_of=True,
        )

    def customer(self, words: Vocabulary, canonical: Canonical) -> None:
        fields = [_field(c.name, _output(c), c.comment) for c in words.customer.values()]
        fields += [self._list(name, entity) for name, entity in words.relations.items()]
        survived = {
            name: name
            for name, c in words.customer.items()
            if c.column not in ("customer_id", "link_state")
        }
        if survived:
            self._enum("CustomerField", survived, "Fields that survive from several records.")
            self._object(
                "FieldProvenance",
                "Why a field of a customer has its value.",
                [
                    _field("field", "CustomerField", "The field."),
                    _field("source", "str", "Source of the value."),
                    _field("sourceKey", "str", "Record of the value."),
                    _field("rule", "str", "Rule that chose it."),
                    _field("asOf", "DateTime", "Age of the data."),
                    _field("losing", "list[LosingValue]", "Values that were not chosen."),
                ],
            )
            provenance = _field(
                "provenance",
                "Optional[list[FieldProvenance]]",
                "Why fields have their values; without `fields`, those selected beside it.",
            )
            provenance.arguments = [
                self._argument("fields", "Optional[list[CustomerField]]", None, "Which fields.")
            ]
            fields.append(provenance)
        self._object("Customer", "One customer, whole, from every source.", fields)
        self._input_object(
            "CustomerBy",
            "One identifier of the customer.",
            [
                _field(
                    name, f"Maybe[{identifier_scalar(kind)}]", canonical.identifiers[kind].comment
                )
                for name, kind in words.identifiers.items()
            ],
            one_of=True,
        )

    def query(self) -> type:
        one = _field("customer", "Optional[Customer]", "The customer of an identifier.")
        one.arguments = [self._argument("by", "CustomerBy", strawberry.UNSET, "Who.")]
        many = _field("customers", "list[Optional[Customer]]", "Customers, in the order asked.")
        many.arguments = [self._argument("by", "list[CustomerBy]", strawberry.UNSET, "Who.")]
        return self._object("Query", "What can be asked.", [one, many])

    def mutation(self, words: Vocabulary) -> type:
        self._enum(MASKED_FIELD, words.masked, "Fields that are masked, and may be revealed.")
        self._object(
            "RevealedValue",
            "What one record has in a revealed field.",
            [
                _field("source", "str", "Full name of the source."),
                _field("sourceKey", "str", "Key of the record in its source."),
                _field("slot", "str", "Which of several values of one record this is."),
                _field("value", "Optional[str]", "The value as text, without its mask."),
            ],
        )
        self._object(
            "Revealed",
            "One masked field of one customer, shown for a while.",
            [
                _field("customerId", "str", "Stable id."),
                _field("field", MASKED_FIELD, "The field."),
                _field("values", "list[RevealedValue]", "What each record has."),
                _field("expiresAt", "DateTime", "Hide the values then."),
                _field("complete", "bool", "Every source that was asked gave everything."),
                _field("missingSources", "list[str]", "Sources that gave nothing or too late."),
            ],
        )
        reveal = _field(
            "reveal", "Optional[Revealed]", "Shows one masked field for a reason, on record."
        )
        reveal.arguments = [
            self._argument("by", "CustomerBy", strawberry.UNSET, "Who."),
            self._argument("field", MASKED_FIELD, strawberry.UNSET, "What."),
            self._argument("reason", "str", strawberry.UNSET, "Why: kept in the audit log."),
        ]
        return self._object("Mutation", "What is done, and recorded.", [reveal])

    def _list(self, name: str, entity: str) -> StrawberryField:
        type_name = camel(entity)[:1].upper() + camel(entity)[1:]
        field = _field(name, f"Optional[{type_name}Page]", "")
        field.arguments = [
            self._argument("where", f"Optional[{type_name}Where]", None, "Which rows."),
            self._argument(
                "orderBy", f"Optional[list[{type_name}Order]]", None, "Order, most important first."
            ),
            self._argument("first", "int", DEFAULT_FIRST, f"Rows, at most {LARGEST_FIRST}."),
            self._argument("after", "Optional[str]", None, "`endCursor` of the page before."),
        ]
        return field

    def _argument(
        self, name: str, annotation: str, default: Any, description: str
    ) -> StrawberryArgument:
        return StrawberryArgument(
            python_name=f"x_{name}",
            graphql_name=name,
            type_annotation=StrawberryAnnotation(annotation, namespace=self._space.__dict__),
            description=description,
            default=strawberry.UNSET if default is None else default,
        )

    def _filter(self, name: str, python: str, *, is_ordered: bool) -> None:
        operators = [*_EQUAL, *(_COMPARED if is_ordered else ())]
        fields = [
            _input(
                op,
                f"Optional[list[{python}]]" if op == "in" else f"Optional[{python}]",
                _COMMENTS[op],
            )
            for op in operators
        ]
        fields.append(_input("isNull", "Optional[bool]", _COMMENTS["isNull"]))
        self._input_object(f"{name}Filter", f"Conditions on {name}; all must hold.", fields)

    def _enum(self, name: str, values: Mapping[str, str], description: str) -> None:
        made = Enum(name, dict(values))  # type: ignore[misc]
        self._space.__dict__[name] = strawberry.enum(
            made, name=name, description=description or None
        )

    def _object(self, name: str, description: str, fields: list[StrawberryField]) -> type:
        cls = strawberry.type(self._class(name, fields), name=name, description=description)
        self._space.__dict__[name] = cls
        return cls

    def _input_object(
        self, name: str, description: str, fields: list[StrawberryField], *, one_of: bool = False
    ) -> None:
        cls = self._class(name, fields)
        self._space.__dict__[name] = strawberry.input(
            cls, name=name, description=description, one_of=one_of
        )

    def _class(self, name: str, fields: list[StrawberryField]) -> type:
        # Python names are prefixed: `in`, `and`, `not` and `from` are canonical or filter names.
        annotations = {f"x_{f.graphql_name}": f.metadata["annotation"] for f in fields}
        body = {f"x_{f.graphql_name}": f for f in fields}

        def fill(namespace: dict[str, Any]) -> None:
            namespace.update(body)
            namespace["__annotations__"] = annotations
            namespace["__module__"] = self._space.__name__

        return types.new_class(name, (), {}, fill)


def _output(column: Column) -> str:
    if column.type.kind is Kind.ENUM:
        return f"Optional[{column.enum}]"
    scalar = SCALAR_OF[column.type.kind]
    return f"Optional[{_PYTHON.get(scalar, scalar)}]"


def _field(name: str, annotation: str, description: str) -> StrawberryField:
    field: Any = strawberry.field(
        name=name, description=description or None, metadata={"annotation": annotation}
    )
    return field  # type: ignore[no-any-return]


def _input(name: str, annotation: str, description: str) -> StrawberryField:
    field: Any = strawberry.field(
        name=name,
        description=description or None,
        default=strawberry.UNSET,
        metadata={"annotation": annotation},
    )
    return field  # type: ignore[no-any-return]
