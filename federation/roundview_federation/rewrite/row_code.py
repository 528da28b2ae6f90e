"""Writes the Python of a row's expressions: over columns of its source, and over canonical ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.mapped import Child
from roundview_catalog.types import Kind, Type
from roundview_federation.key_sets import keyset_of
from roundview_federation.rewrite.consents import AGREED, is_agreement
from roundview_federation.rewrite.push import FragmentDraft
from roundview_federation.rewrite.row_lists import first_of, value_or_none
from roundview_federation.rewrite.row_values import computing, fail, parameter_types
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


class RowCode:
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
        self._decoders: dict[Type, coerce.Coerce | None] = {}
        self._once: dict[str, str] = {}
        self._firsts: set[str] = set()
        self._settled: dict[str, str] = {}
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
            if is_agreement(node):
                name = f"a{len(memberships)}"
                memberships[name] = f"(customer_ids[owner] in {self._parameter(AGREED)})"
                return exp.column(name, table=_MEMBERSHIP)
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
        rewritten = tree.transform(replaced)
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
            return self.decoded(
                f"{self._first(child)}[{self.draft.child_column(child, column)}]", type_
            )
        return self.decoded(f"r[{self.draft.column(column, type_)}]", type_)

    def decoded(self, cell: str, type_: Type) -> str:
        """Returns the text of a cell's value in the type of its column."""
        if type_ not in self._decoders:
            self._decoders[type_] = coerce.decoder(type_)
        decoder = self._decoders[type_]
        text = cell
        if decoder is not None and type_.kind in _USUAL:
            # Most values are what they should be already: no call for those.
            usual = _USUAL[type_.kind]
            text = f"(v if (v := {cell}).__class__ is {usual} else {self.bind(decoder)}(v))"
        elif decoder is not None:
            text = f"{self.bind(decoder)}({cell})"
        return self._settled.get(text, text)

    def settle(self, text: str, name: str) -> None:
        """Remembers that a variable has what a text computes, and that it is not NULL."""
        self._settled[text] = name

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
            return self.decoded(f"row[{at}]", self.unfolded.column_type(c))

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
