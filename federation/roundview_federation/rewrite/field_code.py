"""Writes the Python of one row's values: decoded columns, mapped and derived fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce
from roundview_catalog.errors import InternalError
from roundview_catalog.mapped import FieldMapping, PersonKey
from roundview_catalog.model import COMMON_FIELDS
from roundview_catalog.reading import known_texts, reader
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import UNKNOWN_CODE
from roundview_federation.rewrite.push import FragmentDraft, pushed_decimal, pushed_value
from roundview_federation.rewrite.row_code import RowCode
from roundview_federation.rewrite.row_lists import (
    json_elements,
    split_text,
)
from roundview_federation.rewrite.row_values import (
    code_text,
    composed,
    computing,
    literal_value,
)
from roundview_federation.rewrite.sealing import key_space
from roundview_federation.rewrite.source_keys import INTEGERS, escape_key
from roundview_federation.rewrite.unfold import Unfolded


class FieldCode(RowCode):
    """Writes the fields and keys of a row; every canonical column becomes a variable `f_name`."""

    def __init__(self, unfolded: Unfolded, draft: FragmentDraft) -> None:
        super().__init__(unfolded, draft)
        self._fields = self.branch.slots[unfolded.slot]

    # -- fields ------------------------------------------------------------------------------

    def field(self, name: str) -> None:
        """Computes one canonical column: mapped, common, key of the parent, or derived."""
        mapping = self._fields.get(name)
        default = self.unfolded.source.defaults.of(name)
        if mapping is not None:
            self._mapped(name, mapping)
        elif name == "organization_key":
            self.line(f"f_{name} = None")
            self.owner(f"f_{name}", self.unfolded.organization)
        elif name == "slot":
            self.line(f"f_{name} = {self.slot()}")
        elif name in COMMON_FIELDS:
            self.line(f"f_{name} = {self.constant(default or None)}")
            return
        elif name in self.unfolded.entity.parents.values():
            parent = self.branch.parent
            own = parent is not None and self.unfolded.entity.parents.get(parent.entity) == name
            self.line(f"f_{name} = {self.parent_key() if own else None}")
        else:
            self._derived(name)
        if default:
            self.line(f"if f_{name} is None:")
            self.line(f"    f_{name} = {self.constant(default)}")

    def is_mapped(self, name: str) -> bool:
        """Tells whether the branch says where a field comes from."""
        return name in self._fields

    def slot(self) -> str:
        """Returns the text of the slot: its name, and which element of a list it is."""
        own = self.unfolded.slot
        if not self.branch.lists:
            return repr(own)
        return f"{own + '/'!r} + position" if own else "position"

    def parent_key(self) -> str:
        """Returns the text of the key of the row above, `None` where there is no parent."""
        parent = self.branch.parent
        if parent is None:
            return "None"
        names = []
        for part, key in enumerate(parent.keys):
            text = self.source_expression(key)
            if text not in self._settled.values():
                self.attempt(f"p{part}", text)
                text = f"p{part}"
            names.append(text)
        parts = list(zip(names, parent.types, strict=True))
        text = self.source_key(parent.branch, parts, is_sealed=parent.is_sealed)
        absent = [f"{name} is None" for name in names if name not in self._settled.values()]
        return f"None if {' or '.join(absent)} else {text}" if absent else text

    def owner(self, variable: str, alternatives: tuple[PersonKey, ...]) -> None:
        """Assigns the source key of the first alternative that is not NULL to a None."""
        for one in alternatives:
            names = [f"p{part}" for part in range(len(one.keys))]
            values = [self.source_expression(key) for key in one.keys]
            self.line(f"if {variable} is None:")
            self.line("    try:")
            self.line(f"        {', '.join(names)} = {', '.join(values)}")
            self.line("    except ValueError:")
            self.line(f"        {' = '.join(names)} = None")
            text = self.source_key(
                one.branch, list(zip(names, one.types, strict=True)), is_sealed=one.is_sealed
            )
            absent = " or ".join(f"{name} is None" for name in names)
            self.line(f"    {variable} = None if {absent} else {text}")

    def source_key(
        self, branch: str, parts: list[tuple[str, Type]], *, is_sealed: bool = False
    ) -> str:
        """Returns the text of a source key: `[branch:]part/part`, all parts sealed as one."""
        self.namespace["escape"] = escape_key
        texts = [f"{{{t}}}" if type_.kind in INTEGERS else f"{{escape({t})}}" for t, type_ in parts]
        joined = f"f'{'/'.join(texts)}'"
        if is_sealed:
            if self.unfolded.sealing is None:
                raise InternalError(f"{self.branch.id} is asked without the key that seals keys")
            space = key_space(self.unfolded.source.name, branch)
            seal = partial(self.unfolded.sealing.sealed, space=space)
            joined = f"{self.bind(seal, f'seal {space}')}({joined})"
        return f"{branch + ':'!r} + {joined}" if branch else joined

    def _derived(self, name: str) -> None:
        derive = self.unfolded.entity.fields[name].derive
        inputs = [c.name for c in derive.find_all(exp.Column)] if derive is not None else []
        if derive is None or not any(self._is_known(i) for i in inputs):
            self.line(f"f_{name} = None")
            return
        self.attempt(f"f_{name}", self.canonical(derive), name)

    def _is_known(self, name: str) -> bool:
        field = self.unfolded.entity.fields.get(name)
        if name in self._fields:
            return True
        if field is None or field.derive is None:
            return False
        return any(self._is_known(c.name) for c in field.derive.find_all(exp.Column))

    def _mapped(self, name: str, mapping: FieldMapping) -> None:
        target = self.unfolded.entity.types[name]
        if isinstance(mapping.expr, exp.Literal | exp.Boolean | exp.Null) and not mapping.codes:
            self.line(f"f_{name} = {self.constant(literal_value(mapping, target))}")
            return
        if mapping.codes is not None:
            self._coded(name, mapping, target)
            return
        text = self._value(mapping, target)
        if "(" in text:
            self.attempt(f"f_{name}", text, name)
        else:
            self.line(f"f_{name} = {text}")

    def _value(self, mapping: FieldMapping, target: Type) -> str:
        """Returns the text of a field's value, no longer than the source leaves to do."""
        zone = mapping.time_zone or self.unfolded.source.defaults.time_zone
        converter = coerce.converter(mapping.type, target, zone)
        if target.kind is Kind.DECIMAL:
            scale = coerce.scale_of(target)
            at = pushed_decimal(mapping, scale, self.unfolded, self.draft)
            if at is not None:
                # NaN is the one number that is not itself.
                usual = f"(v := r[{at}]).__class__ is Decimal and v == v"
                return f"(v if {usual} else {self.bind(converter)}(v))"
        cell = self._cell(mapping)
        if cell is None:
            text = self.source_expression(mapping.expr)
            return self._known(text, target, self.bind(converter)) if converter else text
        if converter is None:
            return self.decoded(*cell)
        read = self.bind(
            reader(cell[1], mapping.type, target, zone),
            f"read {cell[1]} {mapping.type} {target} {zone}",
        )
        if cell[1].kind not in (Kind.TEXT, Kind.ENUM):
            return f"{read}({cell[0]})"
        if target.kind is Kind.TEXT:
            usual = f"v if v.__class__ is str and v and not v.isspace() else {read}(v)"
            return f"(None if (v := {cell[0]}) is None else {usual})"
        return self._known(cell[0], target, read)

    def _cell(self, mapping: FieldMapping) -> tuple[str, Type] | None:
        """Returns the cell of the answer that a field is made of, and its type; None of several."""
        ready = pushed_value(mapping, self.unfolded, self.draft)
        if ready is None:
            tree = mapping.expr
            if not isinstance(tree, exp.Column) or self.unfolded.is_late(tree):
                return None
            type_ = self.unfolded.column_type(tree)
            ready = self.draft.column(tree, type_), type_
        return f"r[{ready[0]}]", ready[1]

    def _known(self, text: str, target: Type, otherwise: str) -> str:
        """Returns the text of a value that is looked up, and converted only if not found so."""
        texts = known_texts(target)
        if not texts:
            return f"{otherwise}({text})"
        known = f"{self.bind(texts, f'texts {target}')}.get(v)"
        return f"(((v := {text}).__class__ is str and {known}) or {otherwise}(v))"

    def _coded(self, name: str, mapping: FieldMapping, target: Type) -> None:
        cell = self._cell(mapping)
        text = self.decoded(*cell) if cell else self.source_expression(mapping.expr)
        converter = coerce.converter(Type(Kind.TEXT), target, "UTC")

        def typed(value: Any) -> Any:
            return converter(value) if converter is not None and isinstance(value, str) else value

        codes = self.bind({code: typed(v) for code, v in (mapping.codes or {}).items()})
        otherwise = self.bind(typed(mapping.otherwise))
        self.attempt(f"f_{name}", text, name)
        self.line(f"if f_{name} is None:")
        self.line(f"    f_{name} = {self.bind(typed(mapping.null_code))}")
        self.line("else:")
        self.namespace["code_text"] = code_text
        self.line(f"    code = code_text(f_{name})")
        self.line(f"    f_{name} = {codes}.get(code, {otherwise})")
        if mapping.otherwise is None:
            self.line(f"    if f_{name} is None and code not in {codes}:")
            self.line(f"        note({UNKNOWN_CODE + name!r})")

    def lists(self) -> tuple[Callable[[Any], Any], ...]:
        """Returns what makes the elements of each list from a row of the answer."""
        made = []
        for one in self.branch.lists.values():
            function = computing("r", self.source_expression(one.value), self.namespace)
            elements = (
                partial(split_text, separator=one.separator) if one.separator else json_elements
            )
            made.append(partial(composed, elements, function))
        return tuple(made)
