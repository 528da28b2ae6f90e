"""Decides what a canonical field of a branch is in Trino: of columns, constants, other fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.errors import RequestError
from roundview_catalog.expressions.functions import NODES
from roundview_catalog.mapped import FieldMapping, PersonKey
from roundview_catalog.model import COMMON_FIELDS
from roundview_catalog.types import Kind, Type
from roundview_federation.dialect.casts import settle
from roundview_federation.dialect.expressions import HANDLERS
from roundview_federation.dialect.queries import Translator
from roundview_federation.dialect.trino import value_for_trino
from roundview_federation.dialect.trino_types import NOT_ON_TRINO, not_on_trino
from roundview_federation.dialect.types import TEXT, PgType
from roundview_federation.dialect.values import call, is_null, string
from roundview_federation.rewrite.row_values import literal_value
from roundview_federation.rewrite.trino.columns import RawColumns
from roundview_federation.rewrite.trino.convert import (
    canonical_type,
    cast_to,
    converted,
    literal,
    text_of,
)
from roundview_federation.rewrite.unfold import Unfolded

FETCHED_AT = "fetched_at"
"""The parameter that is the time of the statement."""

Types = Mapping[str, Mapping[str, PgType]]


@dataclass(slots=True)
class Fields:
    """Writes the canonical fields of one branch over the columns that it reads."""

    unfolded: Unfolded
    raw: RawColumns

    def field(self, name: str) -> exp.Expr:
        """Returns a canonical column; raises RequestError RV103."""
        type_ = self.unfolded.entity.types[name]
        node = self._field(name, type_)
        default = self.unfolded.source.defaults.of(name)
        if default:
            return exp.Coalesce(this=node, expressions=[string(default)])
        return node

    def key(self) -> exp.Expr:
        """Returns the key of the record as text."""
        branch = self.unfolded.branch
        return self.key_text(PersonKey(branch.name, branch.key, branch.key_types, branch.is_sealed))

    def key_text(self, key: PersonKey) -> exp.Expr:
        """Returns a key as text, NULL where a part is."""
        if key.is_sealed:
            raise not_on_trino("keys that are kept encrypted")
        parts = [
            _escaped(*self.computed(part), is_number=type_.kind in (Kind.INTEGER, Kind.BIGINT))
            for part, type_ in zip(key.keys, key.types, strict=True)
        ]
        joined = parts[0]
        for part in parts[1:]:
            joined = exp.DPipe(this=exp.DPipe(this=joined, expression=string("/")), expression=part)
        if not key.branch:
            return joined
        return exp.DPipe(this=string(f"{key.branch}:"), expression=exp.paren(joined))

    def person(self) -> exp.Expr:
        """Returns the key of the row's person, NULL where it has none."""
        return self._owner(self.unfolded.person)

    def computed(self, tree: exp.Expr) -> tuple[exp.Expr, PgType]:
        """Returns what an expression of the mapping is, over the columns that are read."""
        if isinstance(tree, exp.Column):
            return self.raw.reference(tree)
        tree = exp.paren(tree.copy())
        types: dict[str, dict[str, PgType]] = {}
        for column in list(tree.find_all(exp.Column)):
            reference, type_ = self.raw.reference(column)
            types.setdefault("r", {})[reference.name] = type_
            column.replace(reference)
        return computed(tree, types)

    def _field(self, name: str, type_: Type) -> exp.Expr:
        mapping = self.unfolded.branch.slots[self.unfolded.slot].get(name)
        if mapping is not None:
            return self._mapped(mapping, type_)
        named = self.unfolded.source.names(name)
        if named is not None:
            return string(named)
        if name == "source_key":
            return self.key()
        if name == "slot":
            return string(self.unfolded.slot)
        if name in ("fetched_at", "as_of"):
            return exp.Placeholder(this=FETCHED_AT)
        if name == "organization_key":
            return self._owner(self.unfolded.organization)
        if name in self.unfolded.entity.parents.values():
            return self._parent_key(name)
        field = self.unfolded.entity.fields.get(name)
        if name not in COMMON_FIELDS and field is not None and field.derive is not None:
            return self._derived(name, field.derive, type_)
        return literal(None, canonical_type(type_))

    def _mapped(self, mapping: FieldMapping, target: Type) -> exp.Expr:
        is_constant = isinstance(mapping.expr, exp.Literal | exp.Boolean | exp.Null)
        if is_constant and mapping.codes is None:
            return literal(literal_value(mapping, target), canonical_type(target))
        if mapping.codes is not None:
            return self._coded(mapping, target)
        if target.kind is Kind.DECIMAL:
            exact = self._exact(mapping.expr, coerce.scale_of(target))
            if exact is not None:
                return cast_to(exact, canonical_type(target))
        node, own = self.computed(mapping.expr)
        zone = mapping.time_zone or self.unfolded.source.defaults.time_zone
        return converted(node, own, target, zone)

    def _exact(self, tree: exp.Expr, scale: int) -> exp.Expr | None:
        """Returns an amount that Trino computes without losing a digit, None where it would."""
        if isinstance(tree, exp.Column) or tree.find(exp.AggFunc) is not None:
            return None
        if self.unfolded.is_late(tree):
            return None
        number = expressions.exact_number(tree, "trino", self.unfolded.column_type, scale)
        if number is None:
            return None
        held = exp.paren(number)
        for column in list(held.find_all(exp.Column)):
            column.replace(self.raw.reference(column)[0])
        made: exp.Expr = held.this
        return made

    def _coded(self, mapping: FieldMapping, target: Type) -> exp.Expr:
        node, own = self.computed(mapping.expr)
        type_ = canonical_type(target)
        convert = coerce.converter(Type(Kind.TEXT), target, "UTC")

        def typed(value: Any) -> exp.Expr:
            is_text = convert is not None and isinstance(value, str)
            return literal(convert(value) if is_text and convert else value, type_)

        arms = [exp.If(this=is_null(node), true=typed(mapping.null_code))]
        text = text_of(node, own)
        arms += [
            exp.If(this=exp.EQ(this=text.copy(), expression=string(code)), true=typed(value))
            for code, value in (mapping.codes or {}).items()
        ]
        return exp.Case(ifs=arms, default=typed(mapping.otherwise))

    def _owner(self, alternatives: tuple[PersonKey, ...]) -> exp.Expr:
        keys = [self.key_text(one) for one in alternatives]
        if not keys:
            return literal(None, TEXT)
        return keys[0] if len(keys) == 1 else exp.Coalesce(this=keys[0], expressions=keys[1:])

    def _parent_key(self, name: str) -> exp.Expr:
        parent = self.unfolded.branch.parent
        if parent is None or self.unfolded.entity.parents.get(parent.entity) != name:
            return literal(None, TEXT)
        return self.key_text(PersonKey(parent.branch, parent.keys, parent.types, parent.is_sealed))

    def _derived(self, name: str, tree: exp.Expr, target: Type) -> exp.Expr:
        inputs = [column.name for column in tree.find_all(exp.Column)]
        if not any(self._is_known(one) for one in inputs):
            return literal(None, canonical_type(target))
        types = {one: canonical_type(self.unfolded.entity.types[one]) for one in inputs}
        tree = exp.paren(tree.copy())
        for column in list(tree.find_all(exp.Column)):
            column.replace(exp.column(column.name, table="f", quoted=True))
        made, own = computed(tree, {"f": types})
        held = exp.paren(made)
        for column in list(held.find_all(exp.Column)):
            if column.table == "f":
                column.replace(exp.paren(self.field(column.name)))
        return converted(held.this, own, target, "UTC")

    def _is_known(self, name: str) -> bool:
        field = self.unfolded.entity.fields.get(name)
        if name in self.unfolded.branch.slots[self.unfolded.slot]:
            return True
        if field is None or field.derive is None:
            return False
        return any(self._is_known(column.name) for column in field.derive.find_all(exp.Column))


def computed(tree: exp.Expr, types: Types) -> tuple[exp.Expr, PgType]:
    """Returns what an expression of a catalog is in Trino; its columns name their table."""
    translator = Translator({})
    translator.columns = dict(types)
    try:
        value = settle(translator.value(_as_called(tree)))
        return value_for_trino(value.node), value.type
    except RequestError as error:
        # The catalog's words are no mistake of whoever asks, and not theirs to read.
        if error.extensions.get("engine") == NOT_ON_TRINO:
            raise
        raise not_on_trino("an expression of the catalog") from None


def own_condition(tree: exp.Expr, raw: RawColumns) -> exp.Expr:
    """Returns a condition of a mapping over the columns of the source's own tables."""
    if tree.find(exp.Select) is not None:
        raise not_on_trino("a subquery in a mapping")
    tree = exp.paren(tree.copy())
    types: dict[str, dict[str, PgType]] = {}
    held: dict[tuple[str, str], exp.Expr] = {}
    for column in list(tree.find_all(exp.Column)):
        alias = column.table or next(iter(raw.unfolded.aliases))
        types.setdefault(alias, {})[column.name] = raw.type_of(column)
        held[alias, column.name] = raw.own(column)
        column.replace(exp.column(column.name, table=alias, quoted=True))
    made = exp.paren(computed(tree, types)[0])
    for column in list(made.find_all(exp.Column)):
        if (column.table, column.name) in held:
            column.replace(held[column.table, column.name].copy())
    result: exp.Expr = made.this
    return result


def _as_called(tree: exp.Expr) -> exp.Expr:
    """Returns an expression with its functions as plain calls, as questions have them."""
    for node in list(tree.find_all(exp.Func)):
        if type(node) in HANDLERS:
            continue
        row = NODES.get(type(node))
        if isinstance(node, exp.Concat):
            name = "concat_ws" if isinstance(node, exp.ConcatWs) else "concat"
            node.replace(call(name, *(part.copy() for part in node.expressions)))
        elif row is not None:
            name = row.name
            if isinstance(node, exp.Pad):
                name = "lpad" if node.args.get("is_left") else "rpad"
            parts = [node.args.get(key) for key, _ in row.arguments]
            node.replace(call(name, *(part.copy() for part in parts if part is not None)))
    return tree


def _escaped(node: exp.Expr, own: PgType, *, is_number: bool) -> exp.Expr:
    text = text_of(node, own)
    if is_number or own.is_integer:
        return text
    for plain, escaped in (("%", "%25"), ("/", "%2F"), (":", "%3A")):
        text = call("replace", text, string(plain), string(escaped))
    return text
