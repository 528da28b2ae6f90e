"""Generates the Python that turns a fragment's rows into canonical rows of one section.

One function per (section, branch, slot), made once per plan: it decodes, maps, derives,
filters and masks without a call per field where none is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from roundview_catalog import coerce, expressions
from roundview_catalog.model import COMMON_FIELDS, FieldMapping
from roundview_catalog.types import Kind, Type
from roundview_federation.plan import Arrival, ArrivalContext, keyset_of
from roundview_federation.rewrite.push import FragmentDraft, Pushed, pushed_value
from roundview_federation.rewrite.unfold import Unfolded

Convert = Callable[[list[tuple[Any, ...]], Any, ArrivalContext], None]

_PARAMETER = "$parameter"
_MEMBERSHIP = "$membership"
_INTEGERS = (Kind.INTEGER, Kind.BIGINT)
_DEFAULTED = {"currency": "currency", "phone_region": "phone_region"}
_SOURCE_DEFAULTS = {"business_unit": "business_unit", "region": "region"}


def arrive(unfolded: Unfolded, pushed: Pushed, section: str) -> Callable[[], Arrival]:
    """Registers the columns that a branch needs and returns what compiles its arrival.

    Compilation waits until every section has registered with the shared draft, because
    children stand after all columns.
    """
    writer = _Writer(unfolded, pushed)
    writer.write()

    def compiled() -> Arrival:
        for alias, name in writer.child_names.items():
            writer.namespace[name] = pushed.draft.child_position(alias)
        source = "\n".join(writer.lines)
        namespace = writer.namespace
        exec(compile(source, f"<arrival {section} {unfolded.branch.id}>", "exec"), namespace)  # noqa: S102 - our own text
        return Arrival(section, unfolded.branch.id, unfolded.slot, namespace["convert"])

    return compiled


class _Writer:
    def __init__(self, unfolded: Unfolded, pushed: Pushed) -> None:
        self.unfolded = unfolded
        self.branch = unfolded.branch
        self.draft: FragmentDraft = pushed.draft
        self.pushed = pushed
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = dict(expressions.RUNTIME)
        self.child_names: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.memberships: list[str] = []
        self.body: list[str] = []
        self.done: set[str] = set()
        self.fields = self.branch.slots[unfolded.slot]

    # -- the function ------------------------------------------------------------------------

    def write(self) -> None:
        used = self._used()
        self._guard()
        key = self._source_key(
            self.branch.name,
            [
                (self._column(k), t)
                for k, t in zip(self.branch.key, self.branch.key_types, strict=True)
            ],
        )
        owner = self._owner(key)
        if owner is not None:
            self._line(f"owner = {owner}")
            if self.pushed.bound is not None:
                self._line("if owner is None:")
                self._line("    note('person')")
                self._line("    continue")
        self._line(f"key = {key}")
        for name in used:
            self._field(name)
        self._bearing()
        if self.unfolded.row_filter is not None:
            self._condition(self.unfolded.row_filter, "f_")
        prefix: dict[str, str] = {}
        for name, mask in self.unfolded.masks.items():
            self._line(f"m_{name} = {self._canonical(mask, {})}")
            prefix[name] = "m_"
        if self.unfolded.where is not None:
            self._line(f"if ({self._canonical(self.unfolded.where, prefix)}) is not True:")
            self._line("    continue")
        outputs = ", ".join(
            f"{prefix.get(name, 'f_')}{name}"
            if name not in _LATE or name in prefix
            else _LATE[name]
            for name in self.unfolded.outputs
        )
        row = f"(origin, key, {self.unfolded.slot!r}, {self._parent_key()}, {outputs})"
        self._line(f"out[owner].append({row})")
        head = [
            "def convert(rows, out, context):",
            "    origin = context.origin",
            "    owners = context.owners",
            "    customer_ids = context.customer_ids",
            "    link_states = context.link_states",
            "    note = context.note",
        ]
        for name, variable in self.parameters.items():
            head.append(f"    {variable} = context.params[{name!r}]")
        self.lines = [*head, "    for r in rows:", *self.body]

    def _line(self, text: str) -> None:
        self.body.append("        " + text)

    def _used(self) -> list[str]:
        """Lists the canonical columns to compute, inputs before what is derived from them."""
        wanted: list[str] = []

        def want(name: str) -> None:
            if name in wanted or (name in _LATE and name not in self.unfolded.masks):
                return
            field = self.unfolded.entity.fields.get(name)
            if field is not None and name not in self.fields and field.derive is not None:
                for column in field.derive.find_all(exp.Column):
                    want(column.name)
            if name not in wanted:
                wanted.append(name)

        for name in self.unfolded.outputs:
            want(name)
        trees = [*self.unfolded.masks.values(), self.unfolded.row_filter, self.unfolded.where]
        for tree in trees:
            for column in tree.find_all(exp.Column) if tree is not None else ():
                if column.table != "principal":
                    want(column.name)
        for alternative in self.unfolded.entity.bearing:
            for name in alternative:
                want(name)
        return wanted

    def _guard(self) -> None:
        for conjunct in self.pushed.residual:
            text = self._source_expression(conjunct)
            self._line("try:")
            self._line(f"    keep = {text}")
            self._line("except ValueError:")
            self._line("    keep = None")
            self._line("if keep is not True:")
            self._line("    continue")

    # -- who ---------------------------------------------------------------------------------

    def _owner(self, key: str) -> str | None:
        bound = self.pushed.bound
        if bound is not None:
            return f"owners.get({self._column(bound.column)})"
        if not self.unfolded.person:
            return "None"
        for at, person in enumerate(self.unfolded.person):
            self._line(f"{'if' if at == 0 else 'if owner is None'}{' True' if at == 0 else ''}:")
            self._line("    try:")
            self._line(f"        p = {self._source_expression(person.key)}")
            self._line("    except ValueError:")
            self._line("        p = None")
            text = self._source_key(person.branch, [("p", person.type)])
            self._line(f"    owner = None if p is None else {text}")
        return None

    def _source_key(self, branch: str, parts: list[tuple[str, Type]]) -> str:
        texts = []
        for text, type_ in parts:
            if type_.kind in _INTEGERS:
                texts.append(f"str({text})")
            else:
                self.namespace["escape"] = escape_key
                texts.append(f"escape({text})")
        joined = " + '/' + ".join(texts)
        return f"{branch + ':'!r} + {joined}" if branch else joined

    def _parent_key(self) -> str:
        parent = self.branch.parent
        if parent is None:
            return "None"
        self._line("try:")
        self._line(f"    p = {self._source_expression(parent.key)}")
        self._line("except ValueError:")
        self._line("    p = None")
        text = self._source_key(parent.branch, [("p", parent.type)])
        return f"None if p is None else {text}"

    # -- fields ------------------------------------------------------------------------------

    def _field(self, name: str) -> None:
        mapping = self.fields.get(name)
        if mapping is not None:
            self._mapped(name, mapping)
        elif name in COMMON_FIELDS:
            value = getattr(self.unfolded.source.defaults, _SOURCE_DEFAULTS.get(name, ""), None)
            self._line(f"f_{name} = {self._constant(value or None)}")
        elif name in self.unfolded.entity.parents.values():
            parent = self.branch.parent
            own = parent is not None and self.unfolded.entity.parents.get(parent.entity) == name
            self._line(f"f_{name} = {self._parent_key() if own else None}")
        else:
            self._derived(name)
        default = _DEFAULTED.get(name)
        if default and getattr(self.unfolded.source.defaults, default):
            value = self._constant(getattr(self.unfolded.source.defaults, default))
            self._line(f"if f_{name} is None:")
            self._line(f"    f_{name} = {value}")
        self.done.add(name)

    def _derived(self, name: str) -> None:
        derive = self.unfolded.entity.fields[name].derive
        inputs = [c.name for c in derive.find_all(exp.Column)] if derive is not None else []
        if derive is None or not any(self._is_known(i) for i in inputs):
            self._line(f"f_{name} = None")
            return
        self._attempt(name, self._canonical(derive, {}))

    def _is_known(self, name: str) -> bool:
        field = self.unfolded.entity.fields.get(name)
        if name in self.fields:
            return True
        if field is None or field.derive is None:
            return False
        return any(self._is_known(c.name) for c in field.derive.find_all(exp.Column))

    def _mapped(self, name: str, mapping: FieldMapping) -> None:
        target = self.unfolded.entity.types[name]
        if isinstance(mapping.expr, exp.Literal | exp.Boolean | exp.Null) and not mapping.codes:
            self._line(f"f_{name} = {self._constant(self._literal(mapping, target))}")
            return
        ready = pushed_value(mapping, self.unfolded, self.draft)
        if ready is not None:
            text = self._decoded(ready[0], mapping.type)
        else:
            text = self._source_expression(mapping.expr)
        if mapping.codes is not None:
            self._coded(name, mapping, text, target)
            return
        zone = mapping.time_zone or self.unfolded.source.defaults.time_zone
        converter = coerce.converter(mapping.type, target, zone)
        if converter is not None:
            text = f"{self._bind(converter)}({text})"
        if "(" in text:
            self._attempt(name, text)
        else:
            self._line(f"f_{name} = {text}")

    def _coded(self, name: str, mapping: FieldMapping, text: str, target: Type) -> None:
        converter = coerce.converter(Type(Kind.TEXT), target, "UTC")

        def typed(value: Any) -> Any:
            return converter(value) if converter is not None and isinstance(value, str) else value

        codes = self._bind({code: typed(v) for code, v in (mapping.codes or {}).items()})
        otherwise = self._bind(typed(mapping.otherwise))
        self._attempt(name, text)
        self._line(f"if f_{name} is None:")
        self._line(f"    f_{name} = {self._bind(typed(mapping.null_code))}")
        self._line("else:")
        self.namespace["code_text"] = _code_text
        self._line(f"    code = code_text(f_{name})")
        self._line(f"    f_{name} = {codes}.get(code, {otherwise})")
        if mapping.otherwise is None:
            self._line(f"    if f_{name} is None and code not in {codes}:")
            self._line(f"        note({name!r})")

    def _attempt(self, name: str, text: str) -> None:
        self._line("try:")
        self._line(f"    f_{name} = {text}")
        self._line("except ValueError:")
        self._line(f"    f_{name} = None")
        self._line(f"    note({name!r})")

    def _literal(self, mapping: FieldMapping, target: Type) -> Any:
        expr = mapping.expr
        if isinstance(expr, exp.Null):
            return None
        if isinstance(expr, exp.Boolean):
            return bool(expr.this)
        value: Any = expr.this if expr.is_string else expr.to_py()
        converter = coerce.converter(mapping.type, target, "UTC")
        return converter(value) if converter is not None else value

    def _bearing(self) -> None:
        alternatives = self.unfolded.entity.bearing
        if not alternatives:
            return
        tests = [
            " and ".join(f"f_{name} is not None" for name in alternative)
            for alternative in alternatives
        ]
        self._line(f"if not ({' or '.join(f'({t})' for t in tests)}):")
        self._line("    continue")

    def _condition(self, tree: exp.Expr, prefix: str) -> None:
        text = self._canonical(tree, {})
        self._line(f"if ({text}) is not True:")
        self._line("    continue")

    # -- expressions -------------------------------------------------------------------------

    def _canonical(self, tree: exp.Expr, prefix: Mapping[str, str]) -> str:
        """Returns the text of an expression over canonical columns and parameters."""
        types = self.unfolded.entity.types
        memberships: dict[str, str] = {}

        def replaced(node: exp.Expr) -> exp.Expr:
            bound = keyset_of(node)
            if bound is not None:
                column = prefix.get(bound[0].name, "f_") + bound[0].name
                if bound[0].name in _LATE and bound[0].name not in prefix:
                    column = _LATE[bound[0].name]
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
            name = column.name
            if name in _LATE and name not in prefix:
                return _LATE[name]
            return prefix.get(name, "f_") + name

        def type_of(column: exp.Column) -> Type:
            if column.table == _MEMBERSHIP:
                return Type(Kind.BOOLEAN)
            if column.table == _PARAMETER:
                return parameter_types.get(column.name, Type(Kind.TEXT))
            return types[column.name]

        parameter_types = _parameter_types(tree, types)
        rewritten = tree.copy().transform(replaced)
        return expressions.python(rewritten, text, type_of)

    def _parameter(self, name: str) -> str:
        return self.parameters.setdefault(name, f"q{len(self.parameters)}")

    def _source_expression(self, tree: exp.Expr) -> str:
        """Returns the text of an expression over the source's columns and children."""

        def child(alias: str) -> tuple[str, Callable[[exp.Column], str]]:
            declared = self._child_of(alias)
            name = self.child_names.setdefault(declared.alias, f"K_{declared.alias}")

            def column(c: exp.Column, row: str = "row") -> str:
                at = self.draft.child_column(declared, c)
                decoder = coerce.decoder(self.unfolded.column_type(c))
                cell = f"row[{at}]"
                return f"{self._bind(decoder)}({cell})" if decoder is not None else cell

            return f"r[{name}]", column

        return expressions.python(tree, self._column, self.unfolded.column_type, child)

    def _child_of(self, alias: str) -> Any:
        for child in self.branch.children.values():
            if alias == child.alias or alias in child.aliases:
                return child
        raise KeyError(alias)

    def _column(self, column: exp.Column) -> str:
        type_ = self.unfolded.column_type(column)
        return self._decoded(self.draft.column(column, type_), type_)

    def _decoded(self, at: int, type_: Type) -> str:
        decoder = coerce.decoder(type_)
        return f"{self._bind(decoder)}(r[{at}])" if decoder is not None else f"r[{at}]"

    def _constant(self, value: Any) -> str:
        return repr(value) if isinstance(value, str | int | bool | None) else self._bind(value)

    def _bind(self, value: Any) -> str:
        if value is None:
            return "None"
        for name, known in self.namespace.items():
            if known is value:
                return name
        name = f"g{len(self.namespace)}"
        self.namespace[name] = value
        return name


_LATE = {
    "customer_id": "customer_ids[owner]",
    "link_state": "link_states[owner]",
    "source": "origin.source",
    "source_system": "origin.source_system",
    "source_instance": "origin.source_instance",
    "source_key": "key",
    "fetched_at": "origin.fetched_at",
    "as_of": "origin.as_of",
}


def escape_key(value: Any) -> str:
    """Returns a key part as text: `%`, `/` and `:` percent-encoded, everything else as is."""
    text = str(value)
    if "%" in text or "/" in text or ":" in text:
        return text.replace("%", "%25").replace("/", "%2F").replace(":", "%3A")
    return text


def unescape_key(text: str) -> str:
    """Returns the key part that `escape_key` encoded."""
    return text.replace("%3A", ":").replace("%2F", "/").replace("%25", "%")


def _code_text(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def _parameter_types(tree: exp.Expr, types: Mapping[str, Type]) -> dict[str, Type]:
    """Gives each placeholder the type of the column that it is compared with."""
    found: dict[str, Type] = {}
    for node in tree.find_all(exp.Binary):
        left, right = node.this, node.expression
        for column, value in ((left, right), (right, left)):
            if isinstance(column, exp.Column) and column.name in types:
                if isinstance(value, exp.Placeholder):
                    found[value.name] = types[column.name]
                elif isinstance(value, exp.Column) and value.table == "principal":
                    found[f"principal.{value.name}"] = types[column.name]
    return found
