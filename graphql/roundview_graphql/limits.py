"""Decides which documents are too large to look at, before anything expensive sees them.

Every bound is found by one walk in which a fragment is measured once, however often it is
spread, so a document of doubled fragment spreads costs as much as any other of its size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from roundview_catalog.errors import RequestError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one operation; `rows` bounds fields times page sizes along each path."""

    document_bytes: int = 100_000
    body_bytes: int = 2_000_000
    tokens: int = 2_000
    depth: int = 12
    introspection_depth: int = 20
    aliases: int = 30
    root_fields: int = 10
    directives: int = 50
    fields: int = 1_000
    values: int = 500_000
    customers: int = 100
    variable_depth: int = 32
    variable_values: int = 20_000


@dataclass(frozen=True, slots=True)
class _Size:
    depth: int = 0
    introspection_depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0


_NESTING = 64
_SATURATED = 1_000_000
# Each string alternative matches whatever follows its opening quotes, or the scan would begin
# again at every further quote and take quadratic time.
_PARTS = re.compile(
    r'"""(?:\\"""|[^"]|"(?!""))*+(?:"""|\Z)'
    r'|"(?:\\[\s\S]|[^"\\\n])*+(?:"|\n|\\?\Z)'
    r"|#[^\n]*+|([\[{(])|([\]})])"
)


def read_document(text: str, limits: Limits) -> DocumentNode:
    """Parses a document within the limits on size, nesting and tokens.

    Raises RequestError RV110, RV111, RV116 for one that is too large, RV100 for a mistake.
    """
    if len(text) > limits.document_bytes or len(text.encode()) > limits.document_bytes:
        raise RequestError(
            f"the document is larger than {limits.document_bytes} bytes", code="RV116"
        )
    _refuse_nesting(text)
    try:
        return parse(text, max_tokens=limits.tokens)
    except GraphQLSyntaxError as error:
        if "Parsing aborted" in error.message:
            raise RequestError(
                f"the document has more than {limits.tokens} tokens", code="RV110"
            ) from None
        spot = error.locations[0] if error.locations else None
        where = f" at line {spot.line}, column {spot.column}" if spot else ""
        raise RequestError(f"the document is not GraphQL{where}", code="RV100") from None
    except RecursionError:
        raise RequestError("the document is nested too deeply", code="RV111") from None


def refuse_large(document: DocumentNode, limits: Limits) -> None:
    """Raises RequestError RV111 … RV115 for the first limit that an operation exceeds."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    walk = _Walk(fragments)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            size = walk.size(node.selection_set, is_introspection=False)
            roots = walk.root_fields(node.selection_set, set())
            _compare(size, roots, size.directives + len(node.directives or ()), limits)
    for name in fragments:
        # A fragment that nothing spreads is refused later, but measured all the same.
        size = walk.fragment(name)
        _compare(size, 0, size.directives, limits)


def _compare(size: _Size, roots: int, directives: int, limits: Limits) -> None:
    bounds = (
        ("RV113", roots, limits.root_fields, "root fields"),
        ("RV115", size.fields, limits.fields, "fields"),
        ("RV111", size.depth, limits.depth, "levels"),
        ("RV111", size.introspection_depth, limits.introspection_depth, "levels"),
        ("RV112", size.aliases, limits.aliases, "aliases"),
        ("RV114", directives, limits.directives, "directives"),
    )
    for code, found, most, what in bounds:
        if found > most:
            raise RequestError(f"the operation has more than {most} {what}", code=code)


class _Walk:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, _Size] = {}
        self._open: set[str] = set()

    def fragment(self, name: str) -> _Size:
        known = self._known.get(name)
        if known is not None:
            return known
        node = self._fragments.get(name)
        if node is None or name in self._open:
            # Unknown names and cycles are mistakes that validation reports.
            return _Size()
        self._open.add(name)
        inside = node.type_condition.name.value.startswith("__")
        size = self.size(node.selection_set, is_introspection=inside)
        self._open.discard(name)
        self._known[name] = size
        return size

    def size(self, selections: SelectionSetNode, *, is_introspection: bool) -> _Size:
        depth = introspection = fields = aliases = directives = 0
        for node in selections.selections:
            directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                fields += 1
                name = node.name.value
                aliases += node.alias is not None or name == "__typename"
                inside = is_introspection or name in ("__schema", "__type")
                below = (
                    self.size(node.selection_set, is_introspection=inside)
                    if node.selection_set
                    else _Size()
                )
                if inside:
                    introspection = max(
                        introspection, 1 + max(below.depth, below.introspection_depth)
                    )
                else:
                    depth = max(depth, 1 + below.depth)
                    introspection = max(introspection, below.introspection_depth)
            elif isinstance(node, FragmentSpreadNode):
                below = self.fragment(node.name.value)
                depth = max(depth, below.depth)
                introspection = max(introspection, below.introspection_depth)
            else:
                below = _inline(self, node, is_introspection=is_introspection)
                depth = max(depth, below.depth)
                introspection = max(introspection, below.introspection_depth)
            fields += below.fields
            aliases += below.aliases
            directives += below.directives
        return _Size(
            depth,
            introspection,
            min(fields, _SATURATED),
            min(aliases, _SATURATED),
            min(directives, _SATURATED),
        )

    def root_fields(self, selections: SelectionSetNode, spread: set[str]) -> int:
        count = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                count += 1
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in self._fragments and name not in spread:
                    spread.add(name)
                    count += self.root_fields(self._fragments[name].selection_set, spread)
            elif isinstance(node, InlineFragmentNode):
                count += self.root_fields(node.selection_set, spread)
        return count


def _inline(walk: _Walk, node: object, *, is_introspection: bool) -> _Size:
    if isinstance(node, InlineFragmentNode):
        return walk.size(node.selection_set, is_introspection=is_introspection)
    return _Size()


def _refuse_nesting(text: str) -> None:
    # The parser recurses, so brackets are counted first, outside strings and comments.
    depth = 0
    for match in _PARTS.finditer(text):
        if match.group(1):
            depth += 1
            if depth > _NESTING:
                raise RequestError("the document is nested too deeply", code="RV111")
        elif match.group(2):
            depth -= 1
