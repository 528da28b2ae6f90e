"""Decides which SELECT `identity_coverage` stands for: records of each source, counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_federation.dialect.scopes import column, identifier
from roundview_federation.sql.hiding import union_all

_COUNTED, _ALL = "counted", "coverage"
_DIGITS = 4


def coverage_select(catalog: Catalog, entities: Collection[str]) -> exp.Select:
    """Returns the SELECT over all of these entities whose rows belong to customers."""
    people = [
        name
        for name, entity in catalog.canonical.entities.items()
        if name in entities and entity.has_person
    ]
    mapped = [name for name in people if catalog.branches(name)] or people[:1]
    select = exp.Select(
        expressions=[
            *(
                _named(column(_ALL, name), name)
                for name in ("source", "relation", "records", "identified", "linked")
            ),
            _named(_share(), "share"),
        ]
    )
    return _over(select, union_all([_counted(name) for name in mapped]), _ALL)


def _counted(entity: str) -> exp.Select:
    """Returns the counts of one entity: those of the source stand beside the entity's name."""
    alias = f"{entity} {_COUNTED}"
    rows = exp.Count(this=exp.Star(), big_int=True)
    names_person = exp.NEQ(
        this=column(alias, "link_state"), expression=exp.Literal.string("anonymous")
    )
    select = exp.Select(
        expressions=[
            _named(column(alias, "source"), "source"),
            _named(exp.Literal.string(entity), "relation"),
            _named(rows, "records"),
            _named(
                exp.Filter(this=rows.copy(), expression=exp.Where(this=names_person)), "identified"
            ),
            _named(exp.Count(this=column(alias, "customer_id"), big_int=True), "linked"),
        ]
    )
    table = exp.Table(this=identifier(entity), alias=exp.TableAlias(this=identifier(alias)))
    select.set("from_", exp.From(this=table))
    select.set("group", exp.Group(expressions=[column(alias, "source")]))
    return select


def _share() -> exp.Expr:
    linked = exp.Cast(
        this=column(_ALL, "linked"), to=exp.DataType.build("numeric(18,0)", dialect="postgres")
    )
    quotient = exp.Div(this=linked, expression=column(_ALL, "records"))
    digits: Sequence[exp.Expr] = [quotient, exp.Literal.number(_DIGITS)]
    return exp.Anonymous(this="round", expressions=list(digits))


def _over(select: exp.Select, query: exp.Query, alias: str) -> exp.Select:
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))
    select.set("from_", exp.From(this=source))
    return select


def _named(node: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=node, alias=identifier(name))
