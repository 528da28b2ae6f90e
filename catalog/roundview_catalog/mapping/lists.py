"""Decides which lists in one column of a row become rows: `unnest` and its like in `from`."""

from __future__ import annotations

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.mapped import ListRows
from roundview_catalog.mapping.reader import Path, Reader, Scope
from roundview_catalog.types import Kind

_HINT = "CROSS JOIN unnest(string_to_array(c.x, ',')) AS x, or jsonb_array_elements_text(c.x) AS x"


def take_lists(reader: Reader, scan: exp.Select, path: Path) -> tuple[exp.Join, ...]:
    """Removes the joins of lists from a FROM list and returns them."""
    joins = scan.args.get("joins") or []
    found = tuple(join for join in joins if expressions.is_list(join.this))
    scan.set("joins", [join for join in joins if join not in found])
    for join in found:
        if join.kind != "CROSS" or join.args.get("on") is not None:
            at = expressions.offset_of(join)
            raise reader.wrong(path, "RV211", "a list is joined by CROSS JOIN", _HINT, at)
    return found


def read_lists(
    reader: Reader, joins: tuple[exp.Join, ...], scope: Scope, path: Path
) -> dict[str, ListRows]:
    """Returns each list by its alias, typed; `scope` is what their arguments may name."""
    found: dict[str, ListRows] = {}
    for join in joins:
        call, at = join.this, expressions.offset_of(join)
        alias = call.alias
        if not alias or call.args["alias"].args.get("columns"):
            raise reader.wrong(path, "RV210", "a list needs one name", _HINT, at)
        if alias in found or alias in scope.aliases:
            raise reader.wrong(path, "RV221", f"two tables named {alias}", "give them aliases", at)
        if isinstance(call, exp.Unnest):
            found[alias] = _split(reader, alias, call, scope, path)
            continue
        value = call.this.expressions[0]
        type_ = reader.resolved(value, path, scope)
        if type_.kind is not Kind.JSON:
            raise reader.wrong(path, "RV215", f"{type_} is no JSON", "cast it: c.x::jsonb", at)
        found[alias] = ListRows(alias, value.pop())
    return found


def _split(reader: Reader, alias: str, call: exp.Unnest, scope: Scope, path: Path) -> ListRows:
    made = call.expressions[0] if len(call.expressions) == 1 else None
    at = expressions.offset_of(call)
    if not isinstance(made, exp.StringToArray) or made.args.get("null"):
        raise reader.wrong(path, "RV211", "this list is not known", _HINT, at)
    separator = made.expression
    if not isinstance(separator, exp.Literal) or not separator.is_string or not separator.name:
        raise reader.wrong(path, "RV211", "a separator is a text constant", "','", at)
    type_ = reader.resolved(made.this, path, scope)
    if not type_.is_text:
        raise reader.wrong(path, "RV215", f"{type_} is no text", "cast it: c.x::text", at)
    return ListRows(alias, made.this.pop(), str(separator.this))
