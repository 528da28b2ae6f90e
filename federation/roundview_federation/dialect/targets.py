"""Decides which types a CAST can name."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from roundview_federation.dialect.refusal import unsupported
from roundview_federation.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
    PgType,
    numeric,
    sized,
)

_TARGETS = {
    exp.DType.SMALLINT: SMALLINT, exp.DType.INT: INTEGER, exp.DType.BIGINT: BIGINT,
    exp.DType.DOUBLE: DOUBLE, exp.DType.TEXT: TEXT, exp.DType.VARCHAR: VARCHAR,
    exp.DType.BOOLEAN: BOOLEAN, exp.DType.DATE: DATE, exp.DType.TIME: TIME,
    exp.DType.TIMESTAMP: TIMESTAMP, exp.DType.TIMESTAMPTZ: TIMESTAMPTZ,
    exp.DType.INTERVAL: INTERVAL, exp.DType.UUID: UUID,
}  # fmt: skip


def target(to: exp.Expr) -> tuple[PgType, int | None]:
    """Returns the type that a CAST names, and the n of varchar(n)."""
    kind = to.args.get("this")
    sizes = [part.this.name for part in to.expressions if isinstance(part, exp.DataTypeParam)]
    if any(not size.isdigit() for size in sizes):
        raise unsupported("this type", to)
    if kind is exp.DType.DECIMAL:
        if not sizes:
            return PgType("numeric"), None
        precision, scale = int(sizes[0]), int(sizes[1]) if len(sizes) > 1 else 0
        if not 1 <= precision <= 38 or not 0 <= scale <= precision:
            raise unsupported("a numeric of more than 38 digits", to)
        return sized(numeric(precision, scale)), None
    type_ = _TARGETS.get(kind)  # type: ignore[arg-type]
    if type_ is None or (sizes and type_ != VARCHAR):
        raise unsupported("this type", to)
    if not sizes:
        return type_, None
    return replace(type_, modifier=int(sizes[0]) + 4), int(sizes[0])
