"""Decides what `policy_tests.yaml` says: what a role must and must not be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt

from roundview_catalog import coerce
from roundview_catalog.document import Document
from roundview_catalog.model import Canonical, Entity
from roundview_catalog.policy import LiveQuestion, Place, Policy, PolicyTest, Sample
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.shapes import Path, shaped
from roundview_catalog.tables import Shape
from roundview_catalog.types import Kind, Type

_Value = StrictBool | StrictInt | StrictFloat | str | None
_Values = Mapping[str, _Value]


class SampleSection(Shape):
    """One row as a source may have it, and what is shown of it."""

    of: str
    """The entity."""
    given: _Values = Field(default_factory=dict)
    """Field -> value; the others are null."""
    consents: tuple[_Values, ...] = ()
    """What the person of the row agreed to or refused: rows of consent, field -> value."""
    shows: Literal["nothing"] | _Values = Field(default_factory=dict)
    """Field -> the value that must be shown; `nothing`: the row is hidden."""


class QuestionSection(Shape):
    """One question in SQL that is asked live."""

    sql: str
    """The question."""
    rows: Annotated[StrictInt, Field(ge=0)] | None = None
    """How many rows it must have."""
    shows: tuple[str, ...] = ()
    """Values, as texts, that must be in the answer."""
    never: tuple[str, ...] = ()
    """Values, as texts, that must not be in it."""
    error: str = ""
    """The code with which it must be refused, such as RV122."""


class PolicyTestSection(Shape):
    """What somebody with some roles must see, and must not."""

    roles: Annotated[tuple[str, ...], Field(min_length=1)]
    """The roles of who asks."""
    purpose: str = ""
    """What for; default: the only purpose of the roles."""
    attributes: Mapping[str, str] = Field(default_factory=dict)
    """Attributes of who asks."""
    emergency: StrictBool = False
    """Whether the glass is broken."""
    sees: tuple[str, ...] = ()
    """Entities and entity.field that must be readable."""
    hides: tuple[str, ...] = ()
    """Entities and entity.field that must not exist."""
    masks: tuple[str, ...] = ()
    """entity.field that must be readable, but masked."""
    rows: tuple[SampleSection, ...] = ()
    """Rows, and what is shown of them."""
    asks: tuple[QuestionSection, ...] = ()
    """Questions that are asked live."""


class PolicyTestsFile(Shape):
    """What policy.yaml must amount to; `roundview policy test` proves it."""

    tests: Mapping[str, PolicyTestSection] = Field(default_factory=dict)
    """Name, such as a sentence -> what must hold."""


def read_policy_tests(
    document: Document, policy: Policy, canonical: Canonical, report: Report
) -> tuple[PolicyTest, ...]:
    """Returns the tests of a file; names that do not exist and values of other types are told."""
    file = shaped(PolicyTestsFile, document.data, document, (), report)
    if file is None:
        return ()
    reading = _Reading(document, policy, canonical, report)
    return tuple(reading.test(name, section) for name, section in file.tests.items())


class _Reading:
    def __init__(
        self, document: Document, policy: Policy, canonical: Canonical, report: Report
    ) -> None:
        self._document = document
        self._policy = policy
        self._canonical = canonical
        self._report = report

    def test(self, name: str, section: PolicyTestSection) -> PolicyTest:
        path: Path = ("tests", name)
        for at, role in enumerate(section.roles):
            if role not in self._policy.roles:
                self._tell(
                    (*path, "roles", at),
                    f"unknown role {role}",
                    did_you_mean(role, self._policy.roles),
                )
        for attribute in section.attributes:
            if attribute not in self._policy.attributes:
                hint = did_you_mean(attribute, self._policy.attributes)
                self._tell_key(
                    (*path, "attributes", attribute), f"unknown attribute {attribute}", hint
                )
        return PolicyTest(
            name=name,
            roles=section.roles,
            purpose=self._purpose(section, path),
            attributes=section.attributes,
            is_emergency=section.emergency,
            sees=tuple(self._places(section.sees, (*path, "sees"))),
            hides=tuple(self._places(section.hides, (*path, "hides"))),
            masks=tuple(self._places(section.masks, (*path, "masks"))),
            samples=tuple(
                self._sample(one, (*path, "rows", at)) for at, one in enumerate(section.rows)
            ),
            questions=tuple(
                LiveQuestion(one.sql, one.rows, one.shows, one.never, one.error)
                for one in section.asks
            ),
        )

    def _purpose(self, section: PolicyTestSection, path: Path) -> str:
        purpose = section.purpose
        if purpose:
            if purpose not in self._policy.purposes:
                hint = did_you_mean(purpose, self._policy.purposes)
                self._tell((*path, "purpose"), f"unknown purpose {purpose}", hint)
            return purpose
        known = {
            one
            for role in section.roles
            if role in self._policy.roles
            for one in self._policy.roles[role].purposes
        }
        if len(known) > 1:
            self._report.add(
                self._document.key_position(path),
                "RV220",
                "`purpose` is missing",
                f"one of {', '.join(sorted(known))}",
            )
        return next(iter(known), "")

    def _places(self, texts: tuple[str, ...], path: Path) -> Iterator[Place]:
        for at, text in enumerate(texts):
            name, _, wanted = text.partition(".")
            entity = self._entity(name, (*path, at))
            if entity is None:
                continue
            if wanted and wanted not in entity.types:
                hint = did_you_mean(wanted, entity.types)
                self._tell((*path, at), f"unknown field {wanted} of {name}", hint)
                continue
            yield name, wanted

    def _sample(self, section: SampleSection, path: Path) -> Sample:
        entity = self._entity(section.of, (*path, "of"))
        if entity is None:
            return Sample(section.of, {}, (), None)
        consent = self._canonical.entities.get("consent", entity)
        shows = section.shows
        return Sample(
            entity=entity.name,
            given=self._row(section.given, entity, (*path, "given")),
            consents=tuple(
                self._row(one, consent, (*path, "consents", at))
                for at, one in enumerate(section.consents)
            ),
            shows=None
            if isinstance(shows, str)
            else self._row(shows, entity, (*path, "shows"), is_shown=True),
        )

    def _row(
        self, values: _Values, entity: Entity, path: Path, *, is_shown: bool = False
    ) -> Mapping[str, Any]:
        row = {}
        for name, value in values.items():
            type_ = entity.types.get(name)
            if type_ is None:
                hint = did_you_mean(name, entity.types)
                self._tell_key((*path, name), f"unknown field {name} of {entity.name}", hint)
                continue
            try:
                row[name] = _typed(value, type_, is_shown=is_shown)
            except (ValueError, OverflowError):
                at = self._document.position((*path, name))
                self._report.add(at, "RV206", f"this is no value of {type_}")
        return row

    def _entity(self, name: str, path: Path) -> Entity | None:
        known = self._canonical.entities.get(name)
        if known is None:
            hint = did_you_mean(name, self._canonical.entities)
            self._tell(path, f"unknown entity {name}", hint)
        return known

    def _tell(self, path: Path, message: str, hint: str) -> None:
        self._report.add(self._document.position(path), "RV240", message, hint)

    def _tell_key(self, path: Path, message: str, hint: str) -> None:
        self._report.add(self._document.key_position(path), "RV240", message, hint)


def _typed(value: Any, type_: Type, *, is_shown: bool) -> Any:
    """Returns a value of a file as a row has it; raises ValueError for one of another type.

    What is shown of a text may be any text: its mask.
    """
    if isinstance(value, bool) and type_.kind is not Kind.BOOLEAN:
        raise ValueError("not a boolean")
    if value is None or (is_shown and type_.is_text):
        return value if value is None else str(value)
    convert = coerce.converter(type_, type_, "UTC")
    decode = coerce.decoder(type_)
    typed = value if decode is None else decode(value)
    return typed if convert is None else convert(typed)
