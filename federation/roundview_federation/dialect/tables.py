"""Decides what VALUES and generate_series in FROM are to DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.casts import coerce
from roundview_federation.dialect.refusal import ARGUMENT, TOO_LARGE, TYPES, refuse, unsupported
from roundview_federation.dialect.types import INTEGER, PgType, common
from roundview_federation.dialect.values import call, cast, number

if TYPE_CHECKING:
    from roundview_federation.dialect.queries import Translator


def values_of(translator: Translator, node: exp.Values) -> None:
    """Translates VALUES: its columns get the common type of their rows."""
    rows = [[translator.value(part) for part in row.expressions] for row in node.expressions]
    types: list[PgType] = []
    for at in range(len(rows[0])):
        type_ = common(row[at].type for row in rows)
        if type_ is None:
            raise refuse(TYPES, "VALUES has a column of several types", node)
        types.append(type_)
        for row in rows:
            row[at] = coerce(row[at], type_)
    for row, tuple_ in zip(rows, node.expressions, strict=True):
        tuple_.set("expressions", [value.node for value in row])
    alias = node.args["alias"]
    names = [column.name for column in alias.columns]
    translator.columns[alias.name] = dict(zip(names, types, strict=True))


def series(translator: Translator, node: exp.Table) -> PgType:
    """Translates generate_series of constants in FROM; returns the type of its column."""
    call_ = node.this
    values = [
        translator.value(call_.args[name])
        for name in ("start", "end", "step")
        if call_.args.get(name) is not None
    ]
    sizes = [int(v.text) for v in values if v.text and v.text.lstrip("-").isdigit()]
    if len(sizes) != len(values) or any(not v.type.is_integer for v in values):
        raise unsupported("generate_series of anything but whole constants", node)
    step = sizes[2] if len(sizes) > 2 else 1
    if step == 0:
        raise refuse(ARGUMENT, "the step of generate_series is 0", node)
    if (sizes[1] - sizes[0]) // step > 1_000_000:
        raise refuse(TOO_LARGE, "generate_series of more than a million rows", node)
    type_ = common(value.type for value in values) or INTEGER
    alias = node.args["alias"]
    inner = exp.Select(
        expressions=[
            exp.Alias(
                this=cast(exp.Column(this=exp.Identifier(this="value", quoted=True)), type_),
                alias=exp.Identifier(this="value", quoted=True),
            )
        ]
    )
    table = exp.Table(
        this=call("generate_series", *(number(size) for size in sizes)),
        alias=exp.TableAlias(
            this=exp.Identifier(this="series", quoted=True),
            columns=[exp.Identifier(this="value", quoted=True)],
        ),
    )
    inner.set("from_", exp.From(this=table))
    node.replace(
        exp.Subquery(
            this=inner, alias=exp.TableAlias(this=exp.Identifier(this=alias.name, quoted=True))
        )
    )
    return type_
