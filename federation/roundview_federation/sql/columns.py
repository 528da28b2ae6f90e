"""Turns whole batches of a source's columns into canonical columns, where no row needs Python.

A column that only changes its type is cast by Arrow. One that follows from a single column is
computed once for each different value, by the same code that rows arrive through; one that follows
from several is computed for each row. Rows of branches with rules or lists arrive one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.mapped import FieldMapping, ParentKey, PersonKey
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.columns import arrow_type as sent_type
from roundview_federation.plan import Origin
from roundview_federation.rewrite.arrive import is_surely_borne, needed
from roundview_federation.rewrite.field_code import FieldCode
from roundview_federation.rewrite.presence import is_named
from roundview_federation.rewrite.push import FragmentDraft, Pushed, pushed_decimal
from roundview_federation.rewrite.source_keys import INTEGERS
from roundview_federation.rewrite.unfold import Unfolded
from roundview_federation.sql.tables import arrow_type, as_json


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of a source and where it is from; `note(field)` hears of values out of type."""

    rows: pa.RecordBatch
    origin: Origin
    note: Callable[[str], None]

    @property
    def count(self) -> int:
        """Counts the rows."""
        count: int = self.rows.num_rows
        return count


Made = Callable[[Batch], pa.Array]
"""Makes one canonical column of a batch."""

_ORIGINS: Final = {
    "source": "source",
    "source_system": "source_system",
    "source_instance": "source_instance",
    "fetched_at": "fetched_at",
    "as_of": "as_of",
}
_PERSONS: Final = ("customer_id", "link_state")
_BLANK: Final = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())


@dataclass(frozen=True, slots=True)
class ColumnArrival:
    """Makes the rows of one branch; customers stand as the keys of their persons.

    `key` is None where every row is known to have one.
    """

    names: tuple[str, ...]
    made: tuple[Made, ...]
    bearing: tuple[tuple[Made, ...], ...]
    key: Made | None

    def convert(self, batch: Batch) -> pa.RecordBatch:
        """Returns the canonical rows of a batch."""
        without = self.key(batch).null_count if self.key is not None else 0
        for _ in range(without):
            batch.note("source_key")
        if self.bearing:
            batch = _bearing(batch, self.bearing)
        arrays = [one(batch) for one in self.made]
        if not arrays:
            arrays = [pa.nulls(batch.count, pa.bool_())]
        made = pa.RecordBatch.from_arrays(arrays, names=list(self.names) or ["_"])
        if self.key is None or not without:
            return made
        return made.filter(pc.is_valid(self.key(batch)))


def column_arrival(
    unfolded: Unfolded, pushed: Pushed, outputs: Mapping[str, Type]
) -> ColumnArrival | None:
    """Returns how a branch's batches become rows, None where they must come one by one."""
    if unfolded.masks or unfolded.row_filter is not None or unfolded.branch.lists:
        return None
    if pushed.residual or pushed.draft.children or unfolded.above is not None:
        return None
    making = _Making(unfolded, pushed.draft)
    try:
        return ColumnArrival(
            names=tuple(outputs),
            made=tuple(making.column(name, type_) for name, type_ in outputs.items()),
            bearing=tuple(
                tuple(making.column(name, unfolded.entity.types[name]) for name in names)
                for names in (() if is_surely_borne(unfolded, pushed) else unfolded.entity.bearing)
            ),
            key=None if is_named(unfolded, pushed.draft.dialect) else making.key(),
        )
    except _NotSentError:
        return None


def columns_of(unfolded: Unfolded, pushed: Pushed, outputs: Mapping[str, Type]) -> tuple[Made, ...]:
    """Returns what makes canonical columns of a branch whose fragment has all that they need."""
    making = _Making(unfolded, pushed.draft)
    return tuple(making.column(name, type_) for name, type_ in outputs.items())


class _NotSentError(Exception):
    """What makes a column is not among what the source is asked for."""


class _Making:
    def __init__(self, unfolded: Unfolded, draft: FragmentDraft) -> None:
        self._unfolded = unfolded
        self._draft = draft
        self._fields = unfolded.branch.slots[unfolded.slot]

    def column(self, name: str, type_: Type) -> Made:
        """Returns what makes one canonical column."""
        unfolded = self._unfolded
        if name in _ORIGINS:
            return partial(_constant, field=_ORIGINS[name], type_=arrow_type(type_))
        if name in _PERSONS:
            return self._person(unfolded.person)
        if name == "organization_key":
            return self._person(unfolded.organization)
        if name == "source_key":
            return self.key()
        if name == "slot":
            return partial(_repeated, value=unfolded.slot)
        parent = unfolded.branch.parent
        if name in unfolded.entity.parents.values():
            if parent is None or unfolded.entity.parents.get(parent.entity) != name:
                return partial(_absent, type_=pa.string())
            return self._person((_as_person(parent),))
        mapping = self._fields.get(name)
        if mapping is not None and not unfolded.source.defaults.of(name):
            cast = self._cast(mapping, type_)
            if cast is not None:
                return cast
        return self._computed(name, type_)

    def key(self) -> Made:
        """Returns what makes the source key."""
        branch = self._unfolded.branch
        return self._joined(branch.key, branch.key_types, branch.name, branch.is_sealed)

    # -- keys --------------------------------------------------------------------------------

    def _person(self, alternatives: tuple[PersonKey, ...]) -> Made:
        made = [
            self._joined(one.keys, one.types, one.branch, one.is_sealed) for one in alternatives
        ]
        return partial(_first, made=tuple(made))

    def _joined(
        self, keys: Sequence[exp.Expr], types: Sequence[Type], branch: str, is_sealed: bool
    ) -> Made:
        plain = [key for key in keys if isinstance(key, exp.Column)]
        if is_sealed or len(plain) < len(keys) or any(self._is_late(key) for key in keys):
            return self._by_code(
                lambda code: code.owner(
                    "value", (PersonKey(branch, tuple(keys), tuple(types), is_sealed),)
                ),
                pa.string(),
            )
        parts = tuple(
            (self._place(column), type_.kind in INTEGERS)
            for column, type_ in zip(plain, types, strict=True)
        )
        return partial(_key_text, parts=parts, prefix=f"{branch}:" if branch else "")

    # -- fields ------------------------------------------------------------------------------

    def _cast(self, mapping: FieldMapping, target: Type) -> Made | None:
        """Returns a cast of Arrow's that means what the mapping means, if there is one."""
        column = mapping.expr
        if mapping.codes is not None:
            return None
        if target.kind is Kind.DECIMAL:
            computed = self._decimal(mapping, target)
            if computed is not None:
                return computed
        if not isinstance(column, exp.Column):
            return None
        if self._is_late(column):
            return None
        source = self._unfolded.column_type(column)
        sent = self._draft.sent(column)
        if sent is None:
            return None
        at = sent
        defaults = self._unfolded.source.defaults
        kind = target.kind
        if kind is Kind.TEXT and source.kind is Kind.TEXT:
            return partial(_text, at=at)
        if kind in INTEGERS and source.kind in (Kind.INTEGER, kind):
            return partial(_as_type, at=at, type_=arrow_type(target))
        if kind in (Kind.BOOLEAN, Kind.DATE) and source.kind is kind:
            return partial(_as_type, at=at, type_=arrow_type(target))
        if kind is Kind.DECIMAL and (source.kind is Kind.DECIMAL or source.kind in INTEGERS):
            scale = source.scale if source.kind is Kind.DECIMAL else 0
            if scale is not None and scale <= target.digits[1]:
                return partial(_as_type, at=at, type_=arrow_type(target))
        if target.is_time and source.kind is Kind.TIMESTAMPTZ:
            return partial(_as_type, at=at, type_=arrow_type(target))
        if target.is_time and source.kind is Kind.TIMESTAMP:
            zone = mapping.time_zone or defaults.time_zone
            by_row = self._by_code(lambda code: code.field(self._name(mapping)), arrow_type(target))
            return partial(_zoned, at=at, zone=zone, by_row=by_row)
        return None

    def _decimal(self, mapping: FieldMapping, target: Type) -> Made | None:
        """Returns the cast of a decimal that the source itself computes."""
        draft = self._draft.empty()
        at = pushed_decimal(mapping, coerce.scale_of(target), self._unfolded, draft)
        if at is None:
            return None
        _, number, source = list(draft.columns.values())[at]
        if not pa.types.is_decimal(sent_type(source)):
            return None
        return partial(_as_type, at=self._place(number), type_=arrow_type(target))

    def _name(self, mapping: FieldMapping) -> str:
        return next(name for name, one in self._fields.items() if one is mapping)

    def _computed(self, name: str, type_: Type) -> Made:
        """Has the code through which rows arrive compute a column, from what it needs only."""

        def write(code: FieldCode) -> None:
            for one in needed(code.unfolded, name):
                code.field(one)
            code.line(f"value = f_{name}")
            if type_.kind is Kind.JSON:
                code.line(f"value = {code.bind(as_json)}(value)")

        return self._by_code(write, arrow_type(type_))

    def _by_code(self, write: Callable[[FieldCode], None], type_: pa.DataType) -> Made:
        draft = self._draft.empty()
        code = FieldCode(self._unfolded, draft)
        code.line("value = None")
        write(code)
        code.line("out.append(value)")
        text = "\n".join(["def convert(rows, out, note):", "    for r in rows:", *code.body])
        exec(compile(text, f"<column of {self._unfolded.branch.id}>", "exec"), code.namespace)  # noqa: S102
        if draft.children:
            raise _NotSentError
        places = tuple(self._place(expr) for _, expr, _ in draft.columns.values())
        return partial(_by_rows, convert=code.namespace["convert"], places=places, type_=type_)

    def _place(self, expr: exp.Expr) -> int:
        at = self._draft.sent(expr)
        if at is None:
            raise _NotSentError
        return at

    def _is_late(self, tree: exp.Expr) -> bool:
        return self._unfolded.is_late(tree)


# -- columns ---------------------------------------------------------------------------------


def _constant(batch: Batch, *, field: str, type_: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(getattr(batch.origin, field), type_), batch.count)


def _repeated(batch: Batch, *, value: str) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), batch.count)


def _absent(batch: Batch, *, type_: pa.DataType) -> pa.Array:
    return pa.nulls(batch.count, type_)


def _first(batch: Batch, *, made: tuple[Made, ...]) -> pa.Array:
    if not made:
        return pa.nulls(batch.count, pa.string())
    arrays = [one(batch) for one in made]
    return arrays[0] if len(arrays) == 1 else pc.coalesce(*arrays)


def _key_text(batch: Batch, *, parts: tuple[tuple[int, bool], ...], prefix: str) -> pa.Array:
    texts = []
    for at, is_number in parts:
        text = pc.cast(batch.rows.column(at), pa.string())
        if not is_number:
            for plain, escaped in (("%", "%25"), ("/", "%2F"), (":", "%3A")):
                text = pc.replace_substring(text, plain, escaped)
        texts.append(text)
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "/")
    return pc.binary_join_element_wise(prefix, joined, "") if prefix else joined


def _as_type(batch: Batch, *, at: int, type_: pa.DataType) -> pa.Array:
    column = batch.rows.column(at)
    if pa.types.is_decimal(type_) and pa.types.is_integer(column.type):
        # Arrow asks for room for the largest whole number, whichever there are.
        column = pc.cast(column, pa.decimal128(38, type_.scale))
    return column if column.type == type_ else pc.cast(column, type_)


def _text(batch: Batch, *, at: int) -> pa.Array:
    """Returns a text column in which blank text is NULL."""
    column = batch.rows.column(at)
    is_blank = pc.equal(pc.binary_length(pc.utf8_trim(column, _BLANK)), 0)
    if not pc.any(is_blank).as_py():
        return column
    return pc.if_else(is_blank, pa.scalar(None, column.type), column)


def _zoned(batch: Batch, *, at: int, zone: str, by_row: Made) -> pa.Array:
    """Returns the instants of naive times: of an ambiguous hour the earlier."""
    try:
        zoned = pc.assume_timezone(batch.rows.column(at), zone or "UTC", ambiguous="earliest")
        return pc.cast(zoned, pa.timestamp("us", "UTC"))
    except (pa.ArrowInvalid, ValueError):
        # An hour that the clocks left out, or an offset for a zone.
        return by_row(batch)


def _by_rows(
    batch: Batch,
    *,
    convert: Callable[..., None],
    places: tuple[int, ...],
    type_: pa.DataType,
) -> pa.Array:
    out: list[Any] = []
    if len(places) == 1:
        encoded = pc.dictionary_encode(batch.rows.column(places[0]), null_encoding="encode")
        convert([(value,) for value in encoded.dictionary.to_pylist()], out, batch.note)
        return pa.array(out, type_).take(encoded.indices)
    if not places:
        convert([()], out, batch.note)
        return pa.repeat(pa.scalar(out[0], type_), batch.count)
    columns = (batch.rows.column(at).to_pylist() for at in places)
    convert(list(zip(*columns, strict=True)), out, batch.note)
    return pa.array(out, type_)


def _bearing(batch: Batch, alternatives: tuple[tuple[Made, ...], ...]) -> Batch:
    """Drops rows in which no alternative of the bearing fields is wholly present."""
    kept: pa.Array | None = None
    for names in alternatives:
        here: pa.Array | None = None
        for made in names:
            valid = pc.is_valid(made(batch))
            here = valid if here is None else pc.and_(here, valid)
        kept = here if kept is None else pc.or_(kept, here)
    if kept is None or pc.all(kept).as_py():
        return batch
    return replace(batch, rows=batch.rows.filter(kept))


def _as_person(parent: ParentKey) -> PersonKey:
    return PersonKey(parent.branch, parent.keys, parent.types, parent.is_sealed)
