"""Generates the Python that decides which rows of a fragment arrive, whose, and in which form.

One function per (section, branch, slot), made once per plan: it decodes, maps, derives,
filters and masks without a call per field where none is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.errors import InternalError
from roundview_federation.plan import NOT_ASKED, Arrival, Handover, KeySet
from roundview_federation.rewrite.field_code import FieldCode
from roundview_federation.rewrite.presence import TYPED, is_borne, is_named
from roundview_federation.rewrite.push import FragmentDraft, Pushed
from roundview_federation.rewrite.row_code import LATE
from roundview_federation.rewrite.row_lists import each_element
from roundview_federation.rewrite.source_keys import native_value
from roundview_federation.rewrite.unfold import Input, Rows, Unfolded

_ARRIVAL: Final = ("def convert(rows, out, context):",)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_CONTEXT: Final = ("origin", "owners", "params", "customer_ids", "link_states", "note")
_PERSONS: Final = frozenset({"customer_id", "link_state"})
_PERSON, _PARENT = "$person", "$parent"
"""Names of what is no field but made of columns too."""
_HEADS: Final = frozenset({"source_key", *_PERSONS})
_HANDOVER: Final = ("def convert(rows, out, owners, params):",)


def arrive(
    unfolded: Unfolded,
    pushed: Pushed,
    section: str,
    *,
    is_headless: bool = False,
    spared: frozenset[str] = frozenset(),
) -> Callable[[], Arrival]:
    """Registers the columns that a branch needs and returns what compiles its arrival.

    Compilation waits until every section has registered with the shared draft, because
    children stand after all columns. Of rows that are `is_headless` nobody reads the key, the
    parent's key and whose they are, unless they are among the section's columns. What was asked
    of columns that are `spared` holds already.
    """
    if spared and unfolded.where is not None:
        unfolded = replace(unfolded, where=_without(unfolded.where, spared))
    name = f"arrival {section} {unfolded.branch.id}"
    is_late = _add_inputs(unfolded, pushed, is_headless=is_headless)
    code = None if is_late else _written(unfolded, pushed, is_headless=is_headless)

    def text() -> _Text:
        count = len(pushed.draft.columns)
        written = code or _written(unfolded, pushed, is_headless=is_headless)
        if len(pushed.draft.columns) != count:
            raise InternalError(f"{unfolded.branch.id} was not asked for all that arrives of it")
        return _said(written, pushed, _ARRIVAL)

    def compiled() -> Arrival:
        convert = _Converting(name, text).convert
        return Arrival(section, unfolded.branch.id, unfolded.slot, convert, (unfolded, pushed))

    return compiled


def _add_inputs(unfolded: Unfolded, pushed: Pushed, *, is_headless: bool) -> bool:
    """Registers what a branch needs by what is known of its fields; tells whether that is all.

    Then its code need not be written before rows come. What has rows below it has more to find.
    """
    rows = unfolded.rows
    if rows is None or unfolded.children or unfolded.branch.lists or pushed.residual:
        return False
    draft = pushed.draft
    asked = _named(unfolded) if is_headless else _HEADS
    bearing = () if is_headless and is_surely_borne(unfolded, pushed) else unfolded.entity.bearing
    if pushed.bound is not None:
        for column in pushed.bound.columns:
            draft.column(column, unfolded.column_type(column))
    elif asked & _PERSONS:
        draft.add(_inputs(_PERSON, unfolded, rows, draft))
    if "source_key" in asked or not is_named(unfolded, draft.dialect):
        for column in unfolded.branch.key:
            draft.column(column, unfolded.column_type(column))
    for name in _used(unfolded, bearing):
        draft.add(_inputs(name, unfolded, rows, draft))
    if not is_headless:
        draft.add(_inputs(_PARENT, unfolded, rows, draft))
    _never_empty(unfolded, draft)
    return True


def _inputs(name: str, unfolded: Unfolded, rows: Rows, draft: FragmentDraft) -> tuple[Input, ...]:
    """Returns what a field is made of, found out by writing its code once."""
    key = (unfolded.slot, name, draft.is_scan)
    known = rows.inputs.get(key)
    if known is None:
        trial = draft.empty()
        code = FieldCode(unfolded, trial)
        if name == _PERSON:
            code.owner("owner", unfolded.person)
        elif name == _PARENT:
            code.parent_key()
        else:
            code.field(name)
        found = ((text, expr, type_) for text, (_, expr, type_) in trial.columns.items())
        known = rows.inputs[key] = tuple(found)
    return known


def _written(unfolded: Unfolded, pushed: Pushed, *, is_headless: bool) -> FieldCode:
    """Writes what becomes of a row, and registers what it is made of."""
    code = FieldCode(unfolded, pushed.draft)
    if unfolded.branch.lists:
        code.namespace |= {"each_element": each_element, "lists": code.lists()}
    _guard(code, pushed)
    asked = _named(unfolded) if is_headless else _HEADS
    if pushed.bound is not None or asked & _PERSONS:
        _owner(code, pushed, problem=NOT_ASKED)
    else:
        code.line("owner = None")
    if "source_key" in asked or not is_named(unfolded, pushed.draft.dialect):
        _key(code)
    else:
        code.line("key = None")
    bearing = () if is_headless and is_surely_borne(unfolded, pushed) else unfolded.entity.bearing
    if bearing:
        code.line("is_unread = False")
    for name in _used(unfolded, bearing):
        code.field(name)
    _bearing(code, bearing)
    if unfolded.row_filter is not None:
        _keep_if(code, code.canonical(unfolded.row_filter))
    prefix: dict[str, str] = {}
    for name, mask in unfolded.masks.items():
        code.attempt(f"m_{name}", code.canonical(mask))
        prefix[name] = "m_"
    _derive_masked(code, prefix)
    if unfolded.where is not None:
        _keep_if(code, code.canonical(unfolded.where, prefix))
    outputs = ", ".join(
        f"{prefix.get(name, 'f_')}{name}" if name not in LATE or name in prefix else LATE[name]
        for name in unfolded.outputs
    )
    parent_key = "None" if is_headless else code.parent_key()
    row = f"(origin, key, {code.slot()}, {parent_key}, {outputs})"
    _never_empty(unfolded, pushed.draft)
    code.line(f"out[owner].append({row})")
    return code


def _never_empty(unfolded: Unfolded, draft: FragmentDraft) -> None:
    if not draft.columns:
        # A row of nothing is no row to every source.
        draft.column(unfolded.branch.key[0], unfolded.branch.key_types[0])


def hand_over(unfolded: Unfolded, pushed: Pushed, keyset: KeySet) -> Callable[[], Handover]:
    """Registers the key of a branch and returns what compiles the handing over of its values.

    Only rows that the branch's mapping lets through hand their key over: what lies below a
    hidden record is hidden too.
    """
    code = FieldCode(unfolded, pushed.draft)
    _guard(code, pushed)
    _owner(code, pushed)
    code.line("if owner is None:")
    code.line("    continue")
    native = code.bind(partial(native_value, type_=keyset.types[0], prefix=keyset.prefixes[0]))
    code.attempt("value", code.column(unfolded.branch.key[0]))
    code.line(f"value = None if value is None else {native}(value)")
    code.line("if value is not None:")
    code.line("    out[value] = owner")

    def compiled() -> Handover:
        text = partial(_said, code, pushed, _HANDOVER)
        convert = _Converting(f"handover {unfolded.branch.id}", text).convert
        return Handover(keyset.name, convert)

    return compiled


_Text = tuple[str, dict[str, Any]]
"""Generated code and the objects that it names."""


def _said(code: FieldCode, pushed: Pushed, head: tuple[str, ...]) -> _Text:
    namespace = code.namespace
    for name_, variable in code.child_names.items():
        namespace[variable] = pushed.draft.child_position(code.unfolded.children[name_])
    bound = [f"    {variable} = params[{name!r}]" for name, variable in code.parameters.items()]
    loop = "    for r in rows:"
    if code.unfolded.branch.lists:
        loop = "    for r, element, position in each_element(rows, lists, note):"
    body = "\n".join((*bound, loop, *code.body))
    used = [f"    {name} = context.{name}" for name in _CONTEXT if name in body]
    return "\n".join((*head, *(used if head is _ARRIVAL else ()), body)), namespace


class _Converting:
    """Makes generated code when the first rows come: for many branches none ever do."""

    def __init__(self, name: str, text: Callable[[], _Text]) -> None:
        self._name = name
        self._text = text
        self._code: Callable[..., None] | None = None

    def convert(self, rows: list[tuple[Any, ...]], *others: Any) -> None:
        """Runs the code over rows."""
        if not rows:
            return
        code = self._code
        if code is None:
            code = self._code = self._made()
        code(rows, *others)

    def _made(self) -> Callable[..., None]:
        text, objects = self._text()
        # What is not named would be carried along by every plan.
        self._text = lambda: (text, namespace)
        compiled = compile(text, f"<{self._name}>", "exec")
        named = frozenset(_NAME.findall(text)) & objects.keys()
        namespace = {name: objects[name] for name in named}
        exec(compiled, namespace)  # noqa: S102 - our own text
        made: Callable[..., None] = namespace["convert"]
        return made


def _guard(code: FieldCode, pushed: Pushed) -> None:
    """Applies what of the mapping's WHERE the source did not."""
    for conjunct in pushed.residual:
        code.attempt("keep", code.source_expression(conjunct))
        code.line("if keep is not True:")
        code.line("    continue")


def _owner(code: FieldCode, pushed: Pushed, problem: str = "") -> None:
    """Finds whose a row is; one that belongs to nobody who was asked for does not arrive.

    Where nothing is bound, the owner is the person's source key, None for nobody.
    """
    bound = pushed.bound
    if bound is not None:
        values = [code.column(column) for column in bound.columns]
        key = values[0] if len(values) == 1 else f"({', '.join(values)})"
        code.line(f"owner = owners.get({key})")
        if bound.through is not None or len(values) > 1:
            # Its first row is another's, or only the parts of its key were asked for.
            code.line("if owner is None:")
            code.line("    continue")
        elif problem:
            code.line("if owner is None:")
            code.line(f"    note({problem!r})")
            code.line("    continue")
        return
    code.line("owner = None")
    code.owner("owner", code.unfolded.person)


def _key(code: FieldCode) -> None:
    """Names the row; one whose key is NULL or not of its type has no name, so does not arrive."""
    branch = code.unfolded.branch
    parts, known = [], []
    for at, (column, type_) in enumerate(zip(branch.key, branch.key_types, strict=True)):
        value = code.column(column)
        code.attempt(f"k{at}", value)
        known.append((value, f"k{at}"))
        parts.append((f"k{at}", type_))
    code.line(f"if {' or '.join(f'{part} is None' for part, _ in parts)}:")
    code.line("    note('source_key')")
    code.line("    continue")
    for value, name in known:
        code.settle(value, name)
    code.line(f"key = {code.source_key(branch.name, parts, is_sealed=branch.is_sealed)}")


def _without(where: exp.Expr, spared: frozenset[str]) -> exp.Expr | None:
    kept = [
        one.copy()
        for one in expressions.conjuncts(where)
        if not {column.name for column in one.find_all(exp.Column)} <= spared
    ]
    return exp.and_(*kept, copy=False) if kept else None


def _named(unfolded: Unfolded) -> frozenset[str]:
    """Returns the canonical columns that a section, its rules and its conditions speak of."""
    trees = (*unfolded.masks.values(), unfolded.row_filter, unfolded.where)
    found = [c.name for tree in trees if tree is not None for c in tree.find_all(exp.Column)]
    names = (*unfolded.outputs, *found)
    return frozenset(one for name in names for one in needed(unfolded, name))


def is_surely_borne(unfolded: Unfolded, pushed: Pushed) -> bool:
    """Tells whether nobody needs to look for what a row must bear: every row has it."""
    return pushed.draft.dialect in TYPED and is_borne(unfolded)


def _used(unfolded: Unfolded, bearing: tuple[tuple[str, ...], ...] = ()) -> list[str]:
    """Lists the canonical columns to compute, inputs before what is derived from them."""
    wanted: list[str] = []

    def want(name: str) -> None:
        if name not in LATE or name in unfolded.masks:
            wanted.extend(one for one in needed(unfolded, name) if one not in wanted)

    for name in unfolded.outputs:
        want(name)
    for tree in (*unfolded.masks.values(), unfolded.row_filter, unfolded.where):
        for column in tree.find_all(exp.Column) if tree is not None else ():
            if column.table not in ("principal", "owner"):
                want(column.name)
    for alternative in bearing:
        for name in alternative:
            want(name)
    return wanted


def needed(unfolded: Unfolded, name: str) -> list[str]:
    """Lists a canonical column and what it is derived from, inputs first."""
    field = unfolded.entity.fields.get(name)
    found: list[str] = []
    is_mapped = name in unfolded.branch.slots[unfolded.slot]
    if field is not None and not is_mapped and field.derive is not None:
        for column in field.derive.find_all(exp.Column):
            found += [one for one in needed(unfolded, column.name) if one not in found]
    return [*found, name]


def _derive_masked(code: FieldCode, prefix: dict[str, str]) -> None:
    """Derives what follows from a masked field from its mask: nothing leaks a second way."""
    entity = code.unfolded.entity
    for name in _used(code.unfolded):
        field = entity.fields.get(name)
        if field is None or field.derive is None or name in prefix or code.is_mapped(name):
            continue
        if any(column.name in prefix for column in field.derive.find_all(exp.Column)):
            code.attempt(f"m_{name}", code.canonical(field.derive, prefix))
            prefix[name] = "m_"


def _bearing(code: FieldCode, alternatives: tuple[tuple[str, ...], ...]) -> None:
    """Drops rows in which no alternative of the bearing fields is wholly present.

    A value that does not convert is there: its row is shown without it.
    """
    if not alternatives:
        return
    tests = [
        " and ".join(f"f_{name} is not None" for name in alternative)
        for alternative in alternatives
    ]
    code.line(f"if not (is_unread or {' or '.join(f'({test})' for test in tests)}):")
    code.line("    continue")


def _keep_if(code: FieldCode, text: str) -> None:
    code.attempt("keep", text)
    code.line("if keep is not True:")
    code.line("    continue")
