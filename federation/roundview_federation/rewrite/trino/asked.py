"""Decides what is asked of a branch in a statement of Trino."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.rewrite.bounds import Bound


@dataclass(frozen=True, slots=True)
class Keys:
    """Native keys that rows are asked by; `owners` are the customer and state of each, if known.

    A key of several columns is a tuple. Those with a name in `open` stand open.
    """

    bound: Bound
    values: Sequence[Any]
    owners: Mapping[Any, tuple[str, str]] = field(default_factory=dict)
    open: Mapping[Any, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a branch: columns, conditions over its own columns and their values, keys.

    Values with a name in `open` stand open in the statement. `attributes` are those of the
    principal; `xref` is the table that says whose a record is.
    """

    outputs: Mapping[str, Type]
    conditions: tuple[exp.Expr, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    keys: Keys | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    xref: exp.Table | None = None
    open: Mapping[str, str] = field(default_factory=dict)
