"""Decides what the parts of a compiled mapping are: fields, children, lists, and whose rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from roundview_catalog.errors import Position
from roundview_catalog.types import Type


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where one canonical field comes from: an expression over the branch's aliases.

    `codes` maps the expression's text to a value (`otherwise` for the rest, `null_code` for
    NULL); `time_zone` is the zone of a naive time.
    """

    expr: exp.Expr
    type: Type
    position: Position
    codes: Mapping[str, Any] | None = None
    otherwise: Any = None
    null_code: Any = None
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """Rows below a row: `scan` is FROM and WHERE with the correlation left in the WHERE.

    `links`: (child column, outer column) pairs of the plain equalities in it. `first` orders the
    rows where only the first counts, NULLs last and the table's key at the end, so that it is
    always the same one; empty where all rows count.
    """

    alias: str
    scan: exp.Select
    aliases: Mapping[str, str]
    links: tuple[tuple[exp.Column, exp.Column], ...] = ()
    first: tuple[exp.Ordered, ...] = ()


@dataclass(frozen=True, slots=True)
class ListRows:
    """A list in one row, of which every element is a row: text between separators, or JSON.

    `separator` is empty for a JSON array. An element is the column `alias.alias`.
    """

    alias: str
    value: exp.Expr
    separator: str = ""


@dataclass(frozen=True, slots=True)
class PersonKey:
    """One alternative of `person` or `organization`: which branch ("" or its name) and its key.

    `keys` has one expression for each part of the key.
    """

    branch: str
    keys: tuple[exp.Expr, ...]
    types: tuple[Type, ...]
    is_sealed: bool = False


@dataclass(frozen=True, slots=True)
class ParentKey:
    """Which row of another entity of this source a row lies below; `keys` as in PersonKey."""

    entity: str
    branch: str
    keys: tuple[exp.Expr, ...]
    types: tuple[Type, ...]
    is_sealed: bool = False


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Whose facts a branch repeats: the source that owns them, and the field that both have."""

    source: str
    by: str
