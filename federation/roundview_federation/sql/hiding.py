"""Decides what is left of a SELECT of ours for an asker who may not see all that it names.

Such a SELECT has the alias of its table at every column. What cannot be computed without a hidden
column is left out: a projection, a LEFT JOIN, an arm of a UNION ALL, or the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from roundview_catalog.types import Type
from roundview_federation.dialect.types import of_column

Relations = Mapping[str, Mapping[str, Type]]
_Known = Mapping[str, Mapping[str, Type | None]]


def without_hidden(query: exp.Query, relations: Relations) -> exp.Query | None:
    """Returns a query without what `relations` do not have, None where nothing is left of it.

    Works on the tree that it is given.
    """
    kept: list[tuple[exp.Select, list[exp.DataType | None], list[bool]]] = []
    for arm in arms(query):
        known = _trimmed(arm, relations)
        if known is not None:
            types = [_type(one, known) for one in arm.expressions]
            kept.append((arm, types, [_has(one, known) for one in arm.expressions]))
    width = len(kept[0][2]) if kept else 0
    some = [at for at in range(width) if any(seen[at] for _, _, seen in kept)]
    if not some:
        return None
    for arm, _, seen in kept:
        for at in some:
            if not seen[at]:
                type_ = next(types[at] for _, types, other in kept if other[at])
                arm.expressions[at].set("this", _nothing(type_))
        arm.set("expressions", [arm.expressions[at] for at in some])
    return union_all([arm for arm, _, _ in kept])


def arms(query: exp.Expr) -> Iterator[exp.Select]:
    """Yields the SELECTs of a UNION ALL, or the one that a query is."""
    if isinstance(query, exp.Union):
        yield from arms(query.this)
        yield from arms(query.args["expression"])
    elif isinstance(query, exp.Select):
        yield query


def union_all(selects: Sequence[exp.Select]) -> exp.Query:
    """Returns the UNION ALL of SELECTs, or the only one."""
    made: exp.Query = selects[0]
    for one in selects[1:]:
        made = exp.Union(this=made, expression=one, distinct=False)
    return made


def _trimmed(select: exp.Select, relations: Relations) -> _Known | None:
    """Leaves hidden joins out and returns what is visible, None where the rows cannot be told."""
    known: dict[str, Mapping[str, Type | None]] = {}
    if not _add(select.args["from_"].this, known, relations):
        return None
    joins = []
    for join in select.args.get("joins") or ():
        before = dict(known)
        if _add(join.this, known, relations) and _has(join.args["on"], known):
            joins.append(join)
        elif join.side == "LEFT":
            known = before
        else:
            return None
    select.set("joins", joins)
    parts = (select.args.get(part) for part in ("where", "group", "having", "order"))
    return known if all(part is None or _has(part, known) for part in parts) else None


def _add(
    source: exp.Expr, known: dict[str, Mapping[str, Type | None]], relations: Relations
) -> bool:
    """Adds the columns of a source, by its alias; tells whether it is visible at all."""
    if isinstance(source, exp.Table):
        columns: Mapping[str, Type | None] | None = relations.get(source.name)
    else:
        inner = without_hidden(source.this, relations)
        columns = None if inner is None else dict.fromkeys(inner.named_selects)
        source.set("this", inner)
    if columns is not None:
        known[source.alias_or_name] = columns
    return columns is not None


def _has(node: exp.Expr, known: _Known) -> bool:
    columns = (one for one in node.find_all(exp.Column))
    return all(one.name in known.get(one.table, ()) for one in columns)


def _type(projection: exp.Expr, known: _Known) -> exp.DataType | None:
    """Returns the type of a plain column or a cast, None where it is not told at once."""
    value = projection.unalias()
    if isinstance(value, exp.Cast):
        return value.to
    type_ = known.get(value.table, {}).get(value.name) if isinstance(value, exp.Column) else None
    if type_ is None:
        return None
    said = of_column(type_)
    sized = f"numeric({said.precision},{said.scale})" if said.name == "numeric" else said.name
    return exp.DataType.build(sized, dialect="postgres")


def _nothing(type_: exp.DataType | None) -> exp.Expr:
    """Returns a NULL of a type: of several NULLs alone nothing says what they are."""
    return exp.Null() if type_ is None else exp.Cast(this=exp.Null(), to=type_.copy())
