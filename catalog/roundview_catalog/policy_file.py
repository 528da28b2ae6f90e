"""Decides what `policy.yaml` says: who sees what, why, and by whose consent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.model import COMMON_FIELDS, Canonical, Entity
from roundview_catalog.policy import ATTRIBUTES, PURPOSES, Consent, Place, Policy, Role
from roundview_catalog.policy_sections import PolicyFile, RoleSection
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import shaped
from roundview_catalog.types import Kind, Type

Path = tuple[str | int, ...]


def read_policy(document: Document, canonical: Canonical, report: Report) -> Policy:
    """Returns what a policy file says; what a role does not list does not exist for it."""
    file = shaped(PolicyFile, document.data, document, (), report)
    return Policy() if file is None else _Reading(document, canonical, report, file).policy()


class _Reading:
    """Reads one policy file; an expression that many roles have is read once."""

    def __init__(
        self, document: Document, canonical: Canonical, report: Report, file: PolicyFile
    ) -> None:
        self._document = document
        self._canonical = canonical
        self._report = report
        self._file = file
        self._purposes = tuple(dict.fromkeys((*PURPOSES, *file.purposes)))
        self._attributes = tuple(dict.fromkeys((*ATTRIBUTES, *file.attributes)))
        self._everywhere = Entity("*", "", {})
        self._known: dict[tuple[str, str, Type], exp.Expr] = {}
        self._joined: dict[tuple[int, int], exp.Expr] = {}

    def policy(self) -> Policy:
        """Returns the policy; the report has every mistake in it."""
        only_for: dict[Place, frozenset[str]] = {}
        for place, purposes in self._file.only_for.items():
            found = self._place(place, ("only_for", place))
            self._check_purposes(purposes, ("only_for", place))
            if found is not None:
                only_for[found] = frozenset(purposes)
        return Policy(
            roles={name: self._role(name, section) for name, section in self._file.roles.items()},
            purposes=self._purposes,
            attributes=self._attributes,
            only_for=only_for,
            consents=self._consents(),
            text=self._document.text,
        )

    def _consents(self) -> Mapping[str, Consent]:
        consents = {}
        for name, section in self._file.purposes.items():
            path: Path = ("purposes", name)
            if section.needs_consent is None:
                for key in ("given", "refused"):
                    if getattr(section, key):
                        self._tell((*path, key), "RV220", f"`needs_consent` of {name} is missing")
                continue
            entity = self._entity("consent", path)
            if not section.given:
                self._tell(path, "RV220", f"`given` of {name} is missing", "status = 'opt_in'")
            if entity is None or not section.given:
                continue
            places = [
                self._place(place, (*path, "needs_consent", at), is_value=True)
                for at, place in enumerate(section.needs_consent)
            ]
            boolean = Type(Kind.BOOLEAN)
            given = self._rule(entity, (*path, "given"), boolean)
            refused = self._rule(entity, (*path, "refused"), boolean) if section.refused else None
            if given is not None:
                needed_by = frozenset(place for place in places if place is not None)
                consents[name] = Consent(given, refused, needed_by)
        return consents

    def _role(self, name: str, section: RoleSection) -> Role:
        path: Path = ("roles", name)
        self._check_purposes(section.purposes, (*path, "purposes"))
        return Role(
            name=name,
            purposes=section.purposes,
            sees=self._sees(section, path),
            row_filter=self._filters(section, path),
            mask=self._masks(section, path),
            actions=frozenset(section.actions),
            is_break_glass=section.break_glass,
        )

    def _sees(self, section: RoleSection, path: Path) -> dict[str, tuple[str, ...] | None]:
        sees: dict[str, tuple[str, ...] | None] = {}
        for entity, fields in section.sees.items():
            at = (*path, "sees", entity)
            sees[entity] = None if fields == "all" else tuple(fields)
            if entity == "*":
                if fields != "all":
                    self._tell(at, "RV206", '"*" sees all', "name the entities")
                continue
            known = self._entity(entity, at)
            for index, field in enumerate(sees[entity] or ()):
                if known is not None and field not in known.types:
                    self._tell((*at, index), "RV240", f"unknown field {field} of {entity}",
                               did_you_mean(field, known.types))  # fmt: skip
        return sees

    def _filters(self, section: RoleSection, path: Path) -> dict[str, exp.Expr]:
        filters: dict[str, exp.Expr] = {}
        for name in section.row_filter:
            at = (*path, "row_filter", name)
            entity = self._everywhere if name == "*" else self._entity(name, at)
            tree = self._rule(entity, at, Type(Kind.BOOLEAN)) if entity is not None else None
            if tree is not None:
                filters[name] = tree
        everywhere = filters.pop("*", None)
        if everywhere is None:
            return filters
        return {
            name: self._both(filters[name], everywhere) if name in filters else everywhere
            for name in self._canonical.entities
        }

    def _masks(self, section: RoleSection, path: Path) -> dict[Place, exp.Expr]:
        masks: dict[Place, exp.Expr] = {}
        for place in section.mask:
            at = (*path, "mask", place)
            entity, _, field = place.partition(".")
            known = self._entity(entity, at)
            if known is None:
                continue
            if field not in known.types:
                hint = did_you_mean(field, known.types) or "write entity.field"
                self._tell_key(at, f"unknown field {field or 'here'} of {entity}", hint)
                continue
            tree = self._rule(known, at, known.types[field])
            if tree is not None:
                masks[(entity, field)] = tree
        return masks

    def _both(self, one: exp.Expr, other: exp.Expr) -> exp.Expr:
        key = (id(one), id(other))
        if key not in self._joined:
            self._joined[key] = exp.and_(one, other)
        return self._joined[key]

    def _check_purposes(self, purposes: Iterable[str], path: Path) -> None:
        for index, name in enumerate(purposes):
            if name not in self._purposes:
                self._tell((*path, index), "RV240", f"unknown purpose {name}",
                           did_you_mean(name, self._purposes) or "name it under purposes"
                           )  # fmt: skip

    def _place(self, text: str, path: Path, *, is_value: bool = False) -> Place | None:
        """Returns what a key or a value names: an entity, or a field that is its own."""
        entity, dot, field = text.partition(".")
        known = self._entity(entity, path, is_value=is_value)
        if known is None or not dot:
            return None if known is None else (entity, "")
        if field in known.fields:
            return entity, field
        is_ours = field in known.types
        what = "every entity has it" if is_ours else f"unknown field {field} of {entity}"
        hint = "name a field of its own" if is_ours else did_you_mean(field, known.fields)
        if is_value:
            self._tell(path, "RV240", what, hint)
        else:
            self._tell_key(path, what, hint)
        return None

    def _entity(self, name: str, path: Path, *, is_value: bool = False) -> Entity | None:
        known = self._canonical.entities.get(name)
        if known is not None:
            return known
        if name == "customer":
            what = "customer is derived from its records"
            hint = "name individual and the contact points"
        else:
            what, hint = f"unknown entity {name}", did_you_mean(name, self._canonical.entities)
        if is_value:
            self._tell(path, "RV240", what, hint)
        else:
            self._tell_key(path, what, hint)
        return None

    def _rule(self, entity: Entity, path: Path, target: Type) -> exp.Expr | None:
        """Returns a filter or mask over one entity's fields and `principal.x`."""
        text: Any = self._document.data
        for part in path:
            text = text[part]
        key = (entity.name, str(text), target)
        if key in self._known:
            return self._known[key]
        try:
            tree = expressions.parse(text)
            if any(tree.find_all(*expressions.AGGREGATES)):
                raise ExpressionError("no aggregates here", "a rule sees one row")
            for column in tree.find_all(exp.Column):
                self._type(column, entity, text)
            found = expressions.infer(tree, lambda column: self._type(column, entity, text))
        except ExpressionError as error:
            place = self._document.position(path, error.offset)
            self._report.add(place, error.code, error.message, error.hint)
            return None
        if target.kind is Kind.BOOLEAN and found.kind is not Kind.BOOLEAN:
            self._tell(path, "RV215", "a row filter is a condition", "region = principal.region")
            return None
        if not _shows(found, target, tree):
            self._tell(path, "RV215", f"a mask of {target} must be {target}")
            return None
        self._known[key] = tree
        return tree

    def _type(self, column: exp.Column, entity: Entity, text: str) -> Type:
        at = expressions.offset_of(column, text)
        if column.table == "principal":
            if column.name in self._attributes:
                return Type(Kind.TEXT)
            hint = did_you_mean(column.name, self._attributes) or "name it under attributes"
            what = f"unknown attribute {column.name} of principals"
            raise ExpressionError(what, hint, at, "RV240")
        types = entity.types if entity is not self._everywhere else COMMON_FIELDS
        if column.table not in ("", entity.name) or column.name not in types:
            raise ExpressionError(
                f"unknown field {column.name} of "
                f"{'every entity' if entity is self._everywhere else entity.name}",
                did_you_mean(column.name, types)
                or f"principal.{column.name} is the asker's; a text is \"'{column.name}'\"",
                at,
                "RV240",
            )
        return types[column.name]

    def _tell(self, path: Path, code: str, message: str, hint: str = "") -> None:
        self._report.add(self._document.position(path), code, message, hint)

    def _tell_key(self, path: Path, message: str, hint: str = "") -> None:
        self._report.add(self._document.key_position(path), "RV240", message, hint)


def _shows(found: Type, target: Type, tree: exp.Expr) -> bool:
    """Tells whether a mask's value can stand where the field's own value stands."""
    if isinstance(tree, exp.Null) or found.kind is target.kind:
        return True
    if target.is_text:
        return found.is_text
    if target.is_number:
        return found.is_number
    if target.is_time or target.kind is Kind.DATE:
        return found.is_time or found.kind is Kind.DATE
    return False
