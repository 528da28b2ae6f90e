"""Writes the Python of one row's values: decoded columns, mapped and derived fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.errors import InternalError
from roundview_catalog.mapped import Child, FieldMapping, PersonKey
from roundview_catalog.model import COMMON_FIELDS
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.push import FragmentDraft, pushed_value
from roundview_federation.rewrite.row_lists import (
    first_of,
    json_elements,
    split_text,
    value_or_none,
)
from roundview_federation.rewrite.row_values import (
    code_text,
    composed,
    computing,
    fail,
    literal_value,
    parameter_types,
)
from roundview_federation.rewrite.sealing import key_space
from roundview_federation.rewrite.source_keys import INTEGERS, escape_key
from roundview_federation.rewrite.unfold import Unfolded

LATE: Final = {
    "customer_id": "customer_ids[owner]",
    "link_state": "link_states[owner]",
    "source": "origin.source",
    "source_system": "origin.source_system",
    "source_instance": "origin.source_instance",
    "source_key": "key",
    "fetched_at": "origin.fetched_at",
    "as_of": "origin.as_of",
}
"""Columns that need no field of their own: known when the row is, not from the row."""


_FAILED: Final = object()
_USUAL: Final[Mapping[Kind, str]] = {Kind.INTEGER: "int", Kind.BIGINT: "int", Kind.TEXT: "str"}
_PARAMETER = "$parameter"
_MEMBERSHIP = "$membership"
_SOURCE_DEFAULTS: Final = {"business_unit": "business_unit", "region": "region"}
_DEFAULTED: Final = {"currency": "currency", "phone_region": "phone_region", **_SOURCE_DEFAULTS}


class FieldCode:
    """Collects the lines of a loop over `r in rows` and the names that they use.

    Every canonical column becomes a variable `f_name`. Columns that are read are added to
    the draft; `child_names` (child alias -> variable with its position) wait until the draft
    is complete, because children stand after all columns.
    """

    def __init__(self, unfolded: Unfolded, draft: FragmentDraft) -> None:
        self.unfolded = unfolded
        self.branch = unfolded.branch
        self.draft = draft
        self.body: list[str] = []
        self.namespace: dict[str, Any] = dict(expressions.RUNTIME)
        self.child_names: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self._fields = self.branch.slots[unfolded.slot]
        self._decoders: dict[Type, coerce.Coerce | None] = {}
        self._once: dict[str, str] = {}
        self._firsts: set[str] = set()
        self._bearing = {name for names in unfolded.entity.bearing for name in names}
        self._bound: dict[int | str, tuple[str, Any]] = {}

    # -- lines -------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Adds a line of the loop's body."""
        self.body.append("        " + text)

    def attempt(self, name: str, text: str, problem: str = "") -> None:
        """Assigns an expression; where it does not convert, None, counted as `problem`."""
        self.line("try:")
        self.line(f"    {name} = {text}")
        self.line("except ValueError:")
        self.line(f"    {name} = None")
        if problem:
            self.line(f"    note({problem!r})")
        if problem in self._bearing:
            self.line("    is_unread = True")

    # -- fields ------------------------------------------------------------------------------

    def field(self, name: str) -> None:
        """Computes one canonical column: mapped, common, key of the parent, or derived."""
        mapping = self._fields.get(name)
        if mapping is not None:
            self._mapped(name, mapping)
        elif name == "organization_key":
            self.line(f"f_{name} = None")
            self.owner(f"f_{name}", self.unfolded.organization)
        elif name in COMMON_FIELDS:
            value = getattr(self.unfolded.source.defaults, _SOURCE_DEFAULTS.get(name, ""), None)
            self.line(f"f_{name} = {self.constant(value or None)}")
        elif name in self.unfolded.entity.parents.values():
            parent = self.branch.parent
            own = parent is not None and self.unfolded.entity.parents.get(parent.entity) == name
            self.line(f"f_{name} = {self.parent_key() if own else None}")
        else:
            self._derived(name)
        default = _DEFAULTED.get(name)
        if default and getattr(self.unfolded.source.defaults, default):
            value = self.constant(getattr(self.unfolded.source.defaults, default))
            self.line(f"if f_{name} is None:")
            self.line(f"    f_{name} = {value}")

    def is_mapped(self, name: str) -> bool:
        """Tells whether the branch says where a field comes from."""
        return name in self._fields

    def parent_key(self) -> str:
        """Returns the text of the key of the row above, `None` where there is no parent."""
        parent = self.branch.parent
        if parent is None:
            return "None"
        names = [f"p{part}" for part in range(len(parent.keys))]
        for name, key in zip(names, parent.keys, strict=True):
            self.attempt(name, self.source_expression(key))
        parts = list(zip(names, parent.types, strict=True))
        text = self.source_key(parent.branch, parts, is_sealed=parent.is_sealed)
        return f"None if {' or '.join(f'{name} is None' for name in names)} else {text}"

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
        texts = []
        for text, type_ in parts:
            if type_.kind in INTEGERS:
                texts.append(f"str({text})")
            else:
                self.namespace["escape"] = escape_key
                texts.append(f"escape({text})")
        joined = " + '/' + ".join(texts)
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
        ready = pushed_value(mapping, self.unfolded, self.draft)
        if ready is not None:
            text = self._decoded(f"r[{ready[0]}]", mapping.type)
        else:
            text = self.source_expression(mapping.expr)
        if mapping.codes is not None:
            self._coded(name, mapping, text, target)
            return
        zone = mapping.time_zone or self.unfolded.source.defaults.time_zone
        converter = coerce.converter(mapping.type, target, zone)
        if converter is not None:
            text = f"{self.bind(converter)}({text})"
        if "(" in text:
            self.attempt(f"f_{name}", text, name)
        else:
            self.line(f"f_{name} = {text}")

    def _coded(self, name: str, mapping: FieldMapping, text: str, target: Type) -> None:
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
            self.line(f"        note({name!r})")

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

    # -- expressions -------------------------------------------------------------------------

    def canonical(self, tree: exp.Expr, prefix: Mapping[str, str] | None = None) -> str:
        """Returns the text of an expression over canonical columns and parameters.

        `prefix`: column -> what stands before its variable instead of `f_`.
        """
        prefix = prefix or {}
        types = self.unfolded.entity.types
        memberships: dict[str, str] = {}

        def variable(name: str) -> str:
            if name in LATE and name not in prefix:
                return LATE[name]
            return prefix.get(name, "f_") + name

        def replaced(node: exp.Expr) -> exp.Expr:
            bound = keyset_of(node)
            if bound is not None:
                column = variable(bound[0].name)
                name = f"a{len(memberships)}"
                values = self._parameter(bound[1])
                memberships[name] = f"(None if {column} is None else {column} in {values})"
                return exp.column(name, table=_MEMBERSHIP)
            if isinstance(node, exp.Placeholder):
                return exp.column(node.name, table=_PARAMETER)
            if isinstance(node, exp.Column) and node.table == "principal":
                return exp.column(f"principal.{node.name}", table=_PARAMETER)
            return node

        def text(column: exp.Column) -> str:
            if column.table == _MEMBERSHIP:
                return memberships[column.name]
            if column.table == _PARAMETER:
                return self._parameter(column.name)
            return variable(column.name)

        def type_of(column: exp.Column) -> Type:
            if column.table == _MEMBERSHIP:
                return Type(Kind.BOOLEAN)
            if column.table == _PARAMETER:
                return placeholder_types.get(column.name, Type(Kind.TEXT))
            return types[column.name]

        placeholder_types = parameter_types(tree, types)
        rewritten = tree.copy().transform(replaced)
        return expressions.python(rewritten, text, type_of)

    def source_expression(self, tree: exp.Expr) -> str:
        """Returns the text of an expression over the source's columns and children."""

        def child(alias: str) -> tuple[str, Callable[[exp.Column], str]]:
            declared = self._child_of(alias)
            return self._rows(declared), self._column_of(declared)

        return expressions.python(tree, self.column, self.unfolded.column_type, child, self)

    def column(self, column: exp.Column) -> str:
        """Returns the text of a source column's value; of a child, in its first row."""
        if column.table in self.branch.lists:
            return f"element[{list(self.branch.lists).index(column.table)}]"
        type_ = self.unfolded.column_type(column)
        child = self.unfolded.child_of(column)
        if child is not None:
            return self._decoded(
                f"{self._first(child)}[{self.draft.child_column(child, column)}]", type_
            )
        return self._decoded(f"r[{self.draft.column(column, type_)}]", type_)

    def constant(self, value: Any) -> str:
        """Returns the text of a value that does not change."""
        return repr(value) if isinstance(value, str | int | bool | None) else self.bind(value)

    def bind(self, value: Any, key: str = "") -> str:
        """Returns the name under which the generated code sees an object; one for each `key`.

        Without a key every object has a name of its own: 1.0 and 1.00 are equal, not the same.
        """
        if value is None:
            return "None"
        named = (f"g{len(self.namespace)}", value)
        name, known = self._bound.setdefault(key or id(value), named)
        self.namespace[name] = known
        return name

    def once(self, code: str) -> str:
        """Computes an aggregate before the field that needs it, for all that need it.

        Where it fails, each of those fields fails, and no other.
        """
        name = self._once.get(code)
        if name is None:
            name = self._once[code] = f"s{len(self._once)}"
            self.line("try:")
            self.line(f"    {name} = {code}")
            self.line("except ValueError:")
            self.line(f"    {name} = failed")
            self.namespace["failed"], self.namespace["fail"] = _FAILED, fail
        return f"({name} if {name} is not failed else fail())"

    def _rows(self, child: Child) -> str:
        return f"r[{self.child_names.setdefault(child.alias, f'K_{child.alias}')}]"

    def _column_of(self, child: Child) -> Callable[[exp.Column], str]:
        def column(c: exp.Column) -> str:
            at = self.draft.child_column(child, c)
            return self._decoded(f"row[{at}]", self.unfolded.column_type(c))

        return column

    def _first(self, child: Child) -> str:
        """Chooses the first row of a child once per row, whoever needs it."""
        name = f"first_{child.alias}"
        if name in self._firsts:
            return name
        self._firsts.add(name)
        terms = []
        for at, term in enumerate(child.first):
            column_type = self.unfolded.column_type
            text = expressions.python(term.this, self._column_of(child), column_type)
            self.namespace[f"{name}_{at}"] = partial(
                value_or_none, computing("row", text, self.namespace)
            )
            terms.append(f"({name}_{at}, {bool(term.args.get('desc'))})")
        self.namespace["first_of"] = first_of
        self.line(f"{name} = first_of({self._rows(child)}, ({', '.join(terms)},))")
        return name

    def _parameter(self, name: str) -> str:
        return self.parameters.setdefault(name, f"q{len(self.parameters)}")

    def _child_of(self, alias: str) -> Child:
        for child in self.unfolded.children.values():
            if alias in child.aliases:
                return child
        raise KeyError(alias)

    def _decoded(self, cell: str, type_: Type) -> str:
        if type_ not in self._decoders:
            self._decoders[type_] = coerce.decoder(type_)
        decoder = self._decoders[type_]
        if decoder is None:
            return cell
        usual = _USUAL.get(type_.kind)
        if usual is not None:
            # Most values are what they should be already: no call for those.
            return f"(v if (v := {cell}).__class__ is {usual} else {self.bind(decoder)}(v))"
        return f"{self.bind(decoder)}({cell})"
