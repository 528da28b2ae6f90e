"""Decides how a fragment reads in MySQL: constant text, keys typed like their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL

from roundview_catalog.model import SourceTable
from roundview_federation.connectors.mysql import top_rows
from roundview_federation.connectors.mysql.layout import Layout
from roundview_federation.connectors.mysql.matching import check
from roundview_federation.connectors.mysql.values import Nature
from roundview_federation.connectors.mysql.writer import KeyColumn, Writer
from roundview_federation.connectors.statement import (
    BoundNames,
    Scope,
    bind_names,
    scope_of,
    with_key_parts,
)
from roundview_federation.plan import Fragment
from roundview_federation.top_rows import with_bar

_MYSQL: Final = MySQL()

LIMIT: Final = "most"
DEADLINE: Final = "seconds"

# NUL is in no name of MySQL and, every text being bound, nowhere else in a statement.
_MARK: Final = "\0"
_MARKED: Final = re.compile(r"\x00(\w+)\x00")


@dataclass(frozen=True, slots=True)
class Form:
    """One text of a statement and what its bound names stand for.

    `keys`: name of a key set -> the columns that it is compared with; `natures`: the same for
    parameters; `constants`: the catalog's own texts.
    """

    text: str
    names: BoundNames
    keys: Mapping[str, tuple[KeyColumn, ...]]
    natures: Mapping[str, Nature]
    constants: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the server takes it.

    `many` takes key sets as JSON; `one` takes a single key each, at half the price. `limit` names
    the request's parameter that bounds the rows.
    """

    many: Form
    one: Form
    limit: str


@dataclass(slots=True, eq=False)
class MysqlCall:
    """One fragment.

    `statement` is finished when the layout is known, and again whenever that was read anew.
    """

    fragment: Fragment
    scope: Scope
    layout: Layout | None = None
    statement: Statement | None = None

    @property
    def explained(self) -> str:
        """Returns its text without the server's own types."""
        writer = Writer(self.fragment, self.scope, None)
        bind_names(writer.tree, self.fragment.keysets)
        return writer.tree.sql(dialect=_MYSQL, identify=True, copy=False)


def compile_call(fragment: Fragment, tables: Mapping[str, SourceTable]) -> MysqlCall:
    """Returns the call of a fragment; raises RequestError for unknown columns."""
    fragment = with_key_parts(fragment, lambda row: True)
    scope = scope_of(fragment, tables)
    if fragment.top is not None and top_rows.is_possible(fragment.top, scope):
        raised = with_bar(fragment.tree, fragment.top, nulls_are_large=False)
        fragment = replace(fragment, tree=raised)
        scope = scope_of(fragment, tables)
    else:
        fragment = replace(fragment, top=None)
    return MysqlCall(fragment, scope)


def finish(call: MysqlCall, layout: Layout) -> Statement:
    """Returns the statement for a layout; raises Mismatch where the two do not fit."""
    if call.layout is layout and call.statement is not None:
        return call.statement
    check(call.fragment, call.scope, layout)
    limit = call.fragment.tree.args.get("limit")
    call.layout = layout
    call.statement = Statement(
        many=_form(call, layout, is_single=False),
        one=_form(call, layout, is_single=True),
        limit=limit.expression.name if limit is not None else "",
    )
    return call.statement


def _form(call: MysqlCall, layout: Layout, *, is_single: bool) -> Form:
    writer = Writer(call.fragment, call.scope, layout, is_single=is_single)
    constants = dict(_bind_constants(writer.tree))
    _bounded(writer.tree, layout)
    kept = (LIMIT, DEADLINE, *constants)
    names = bind_names(writer.tree, call.fragment.keysets, kept=kept)
    return Form(
        text=_text(writer.tree, layout),
        names=names,
        keys={bound: writer.keys[name] for bound, name in names.keysets.items()},
        natures={
            bound: writer.natures.get(name, Nature.OTHER) for bound, name in names.params.items()
        },
        constants=constants,
    )


def _bounded(tree: exp.Select, layout: Layout) -> None:
    tree.set("limit", exp.Limit(expression=exp.Placeholder(this=LIMIT)))
    if layout.flavor == "mysql":
        milliseconds = exp.Placeholder(this=DEADLINE)
        most = exp.Anonymous(this="MAX_EXECUTION_TIME", expressions=[milliseconds])
        tree.set("hint", exp.Hint(expressions=[most]))


def _text(tree: exp.Select, layout: Layout) -> str:
    """Returns a statement in the driver's form: `%(name)s` for values, `%%` for a percent."""
    for node in list(tree.find_all(exp.Placeholder)):
        node.replace(exp.Var(this=f"{_MARK}{node.name}{_MARK}"))
    text = tree.sql(dialect=_MYSQL, identify=True, copy=False).replace("%", "%%")
    text = _MARKED.sub(r"%(\1)s", text)
    if layout.flavor == "mariadb":
        return f"SET STATEMENT max_statement_time = %({DEADLINE})s FOR {text}"
    return text


def _bind_constants(tree: exp.Select) -> Iterator[tuple[str, str]]:
    """Takes the catalog's texts out of the statement; yields each with its bound name."""
    found = 0
    for node in list(tree.find_all(exp.Literal)):
        if node.is_string and not isinstance(node.parent, exp.JSONTable | exp.JSONColumnDef):
            name = f"c{found}"
            yield name, node.name
            node.replace(exp.Placeholder(this=name))
            found += 1
