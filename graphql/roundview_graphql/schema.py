"""Decides the executable schema of one catalog version for one set of rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphql import GraphQLEnumType, GraphQLScalarType, GraphQLSchema, build_schema

from roundview_catalog.model import Catalog
from roundview_federation.request import Decision
from roundview_graphql.scalars import parsers, serializers
from roundview_graphql.types import MASKED_FIELD, strawberry_schema
from roundview_graphql.vocabulary import Vocabulary, vocabulary


@dataclass(frozen=True, slots=True)
class DoorSchema:
    """A schema with the names it was made of; `text` is its SDL."""

    catalog_version: str
    policy_shape: str
    text: str = field(repr=False)
    schema: GraphQLSchema = field(repr=False)
    words: Vocabulary = field(repr=False)


def make_schema(catalog: Catalog, decision: Decision) -> DoorSchema:
    """Returns the schema that this decision sees of a catalog; some 100 ms, so in a thread.

    strawberry makes and prints the types. graphql-core reads the text back, so that parsing,
    validation and the fallback run on plain types without strawberry's resolvers.
    """
    words = vocabulary(catalog, decision)
    text = strawberry_schema(words, catalog.canonical).as_str() + "\n"
    schema = build_schema(text)
    for name, parse in parsers(catalog).items():
        scalar = schema.get_type(name)
        if isinstance(scalar, GraphQLScalarType):
            scalar.coerce_input_value = parse
    for name, serialize in serializers().items():
        scalar = schema.get_type(name)
        if isinstance(scalar, GraphQLScalarType):
            scalar.coerce_output_value = serialize
    for name, values in {**words.enums, MASKED_FIELD: words.masked}.items():
        enum = schema.get_type(name)
        if isinstance(enum, GraphQLEnumType):
            for key, value in values.items():
                enum.values[key].value = value
    return DoorSchema(catalog.version, decision.policy_shape, text, schema, words)


def schema_text(catalog: Catalog, decision: Decision) -> str:
    """Returns the SDL that this decision sees; equal catalogs and rules give equal text."""
    return strawberry_schema(vocabulary(catalog, decision), catalog.canonical).as_str() + "\n"
