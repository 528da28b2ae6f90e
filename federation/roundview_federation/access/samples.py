"""Decides what a decision shows of one row that is given: no source is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.model import Catalog, Entity
from roundview_catalog.policy import Consent, Sample
from roundview_catalog.types import Kind, Type
from roundview_federation.request import Decision

Values = Mapping[str, Any]
_PRINCIPAL = "principal"


def shown_of(sample: Sample, decision: Decision, catalog: Catalog) -> Mapping[str, Any] | None:
    """Returns what is shown of a row: field -> value; None where the row is hidden.

    Fields that were not given are NULL, or follow from others as they do where a mapping leaves
    them out. As with rows of a source, a filter that cannot be computed hides the row, and a mask
    that cannot be computed shows nothing.
    """
    entity = catalog.canonical.entities[sample.entity]
    readable = decision.fields.get(entity.name)
    if readable is None:
        return None
    row = _Row(entity, sample.given, decision)
    filters = decision.row_filters.get(entity.name, ())
    if filters and not any(row.judges(one) for one in filters):
        return None
    agreed = _has_agreed(decision.consent, sample.consents, catalog, decision)
    needed = decision.consent.needed_by if decision.consent is not None else frozenset()
    if (entity.name, "") in needed and not agreed:
        return None
    withheld = {name for of, name in needed if of == entity.name and not agreed}
    return {name: None if name in withheld else row.shown(name) for name in sorted(readable)}


class _Row:
    """Computes values of one row, each time anew."""

    def __init__(self, entity: Entity, given: Values, decision: Decision) -> None:
        self._entity = entity
        self._given = given
        self._decision = decision

    def judges(self, condition: exp.Expr) -> bool:
        """Tells whether a condition is TRUE of the row as it is."""
        return self._computed(condition, is_shown=False) is True

    def shown(self, name: str) -> Any:
        """Returns what is shown of a field: what follows from a masked one, from its mask."""
        mask = self._decision.masks.get((self._entity.name, name))
        if mask is not None:
            return self._computed(mask, is_shown=False)
        return self._value(name, is_shown=True)

    def _value(self, name: str, *, is_shown: bool) -> Any:
        if name in self._given:
            return self._given[name]
        field = self._entity.fields.get(name)
        if field is None or field.derive is None:
            return None
        return self._computed(field.derive, is_shown=is_shown)

    def _computed(self, tree: exp.Expr, *, is_shown: bool) -> Any:
        row = {}
        for column in tree.find_all(exp.Column):
            if column.table == _PRINCIPAL:
                row[f"{_PRINCIPAL}.{column.name}"] = self._decision.attributes.get(column.name)
            elif is_shown:
                row[column.name] = self.shown(column.name)
            else:
                row[column.name] = self._value(column.name, is_shown=False)
        text = expressions.python(tree, _place, self._type)
        try:
            return eval(text, {**expressions.RUNTIME, "row": row})  # noqa: S307 - made of checked trees
        except ValueError:
            return None

    def _type(self, column: exp.Column) -> Type:
        return Type(Kind.TEXT) if column.table == _PRINCIPAL else self._entity.types[column.name]


def _has_agreed(
    consent: Consent | None, rows: Sequence[Values], catalog: Catalog, decision: Decision
) -> bool:
    if consent is None:
        return True
    entity = catalog.canonical.entities["consent"]
    consents = [_Row(entity, one, decision) for one in rows]
    is_refused = consent.refused is not None and any(
        one.judges(consent.refused) for one in consents
    )
    return any(one.judges(consent.given) for one in consents) and not is_refused


def _place(column: exp.Column) -> str:
    name = f"{_PRINCIPAL}.{column.name}" if column.table == _PRINCIPAL else column.name
    return f"row[{name!r}]"
