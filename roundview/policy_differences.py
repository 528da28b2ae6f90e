"""Decides what each role gains and loses from one policy to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from roundview_catalog.model import Catalog
from roundview_federation.access.policy import decide
from roundview_federation.request import Decision, Principal


class Change(StrEnum):
    """What a difference is for the role."""

    GAINS = "gains"
    LOSES = "loses"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference for a role; `purpose` is empty where it does not depend on it.

    `of` is what is meant: an entity, entity.field, an action or the like; `was` and `is_now` the
    rules on both sides.
    """

    role: str
    purpose: str
    change: Change
    what: str
    of: str
    was: str = ""
    is_now: str = ""


def differences(before: Catalog, after: Catalog) -> tuple[Difference, ...]:
    """Returns every difference, role by role; roles alone count, as in `policy show`."""
    names = sorted({*before.policy.roles, *after.policy.roles})
    return tuple(one for name in names for one in _of_role(before, after, name))


def seen_by(catalog: Catalog, role: str, purpose: str) -> Decision:
    """Returns what one role alone may see for a purpose; who breaks the glass has broken it."""
    principal = Principal(role, (role,), purposes=(purpose,), default_purpose=purpose)
    known = catalog.policy.roles.get(role)
    is_emergency = known is not None and known.is_break_glass
    return decide(catalog, principal, purpose, is_emergency=is_emergency)


def _of_role(before: Catalog, after: Catalog, role: str) -> Iterator[Difference]:
    was, is_now = before.policy.roles.get(role), after.policy.roles.get(role)
    had = set(was.purposes) if was is not None else set()
    has = set(is_now.purposes) if is_now is not None else set()
    if was is None or is_now is None:
        change = Change.GAINS if was is None else Change.LOSES
        yield Difference(role, "", change, "role", role)
    elif was.is_break_glass != is_now.is_break_glass:
        change = Change.GAINS if was.is_break_glass else Change.LOSES
        yield Difference(role, "", change, "use without an emergency", role)
    yield from _members(role, "", "purpose", had, has)
    actions = (
        set(was.actions) if was is not None else set(),
        set(is_now.actions) if is_now is not None else set(),
    )
    yield from _members(role, "", "action", *actions)
    for purpose in sorted(had | has):
        decisions = seen_by(before, role, purpose), seen_by(after, role, purpose)
        yield from _of_purpose(role, purpose, *decisions)


def _of_purpose(role: str, purpose: str, was: Decision, is_now: Decision) -> Iterator[Difference]:
    for entity in sorted({*was.fields, *is_now.fields}):
        had, has = was.fields.get(entity), is_now.fields.get(entity)
        if had is None or has is None:
            change = Change.GAINS if had is None else Change.LOSES
            told = ", ".join(sorted(has or had or ()))
            sides = ("", told) if had is None else (told, "")
            yield Difference(role, purpose, change, "entity", entity, *sides)
            continue
        yield from _members(role, purpose, "field", _under(entity, had), _under(entity, has))
        yield from _rows(role, purpose, entity, was, is_now)
        for field in sorted(had & has):
            place = (entity, field)
            masks = _text(was.masks.get(place)), _text(is_now.masks.get(place))
            yield from _rule(role, purpose, "mask", f"{entity}.{field}", *masks)
    yield from _consent(role, purpose, was, is_now)


def _rows(
    role: str, purpose: str, entity: str, was: Decision, is_now: Decision
) -> Iterator[Difference]:
    filters = (" OR ".join(map(_text, one.row_filters.get(entity, ()))) for one in (was, is_now))
    yield from _rule(role, purpose, "rows", entity, *filters)


def _consent(role: str, purpose: str, was: Decision, is_now: Decision) -> Iterator[Difference]:
    needs = []
    for decision in (was, is_now):
        consent = decision.consent
        refused = "" if consent is None else _text(consent.refused)
        rule = "" if consent is None else f"{_text(consent.given)}, not {refused or 'refused'}"
        places = frozenset() if consent is None else consent.needed_by
        needs.append((rule, {place for place in places if place[0] in decision.fields}))
    (old_rule, old), (new_rule, new) = needs
    for place in sorted(old | new):
        of = ".".join(part for part in place if part)
        rules = old_rule if place in old else "", new_rule if place in new else ""
        yield from _rule(role, purpose, "needs consent", of, *rules)


def _rule(
    role: str, purpose: str, what: str, of: str, was: str, is_now: str
) -> Iterator[Difference]:
    """Yields the difference between two rules that restrict, "" for none."""
    if was == is_now:
        return
    change = Change.CHANGES if was and is_now else Change.GAINS if was else Change.LOSES
    yield Difference(role, purpose, change, what, of, was, is_now)


def _members(
    role: str, purpose: str, what: str, had: set[str], has: set[str]
) -> Iterator[Difference]:
    for name in sorted(had ^ has):
        change = Change.GAINS if name in has else Change.LOSES
        yield Difference(role, purpose, change, what, name)


def _under(entity: str, fields: frozenset[str]) -> set[str]:
    return {f"{entity}.{field}" for field in fields}


def _text(tree: exp.Expr | None) -> str:
    return "" if tree is None else tree.sql("postgres")
