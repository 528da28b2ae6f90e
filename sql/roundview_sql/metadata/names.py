"""Decides which OID a name in a constant means: 'individual'::regclass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from roundview_federation.dialect.scopes import SCHEMA
from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError
from roundview_sql.metadata.own import OwnRows
from roundview_sql.metadata.port import MetadataSession
from roundview_sql.metadata.reference import CATALOG, Reference

_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_ROLE, _PROCEDURE, _OPERATOR = 4096, 2202, 2203


class Names:
    """Finds objects by their names, along the search path of a session."""

    def __init__(self, reference: Reference, own: OwnRows, session: MetadataSession) -> None:
        self._reference = reference
        self._own = own
        self._session = session

    @cached_property
    def named(self) -> tuple[str, ...]:
        """Returns the schemas of the search path that there are."""
        found = []
        for one in parts(self._session.settings["search_path"], ","):
            name = self._session.user if one == "$user" else one
            if name in self._namespaces and name not in found:
                found.append(name)
        return tuple(found)

    @cached_property
    def schemas(self) -> tuple[str, ...]:
        """Returns the schemas in which names without one are looked for."""
        return self.named if CATALOG in self.named else (CATALOG, *self.named)

    @property
    def path(self) -> list[int]:
        """Returns the OIDs of these schemas."""
        return [self._namespaces[one] for one in self.schemas]

    @cached_property
    def _namespaces(self) -> Mapping[str, int]:
        known = {name: oid for oid, name in self._reference.schemas.items()}
        return {**known, SCHEMA: self._own.schema}

    def find(self, type_: int, said: str) -> int:
        """Returns what a constant of a registered type means; raises WireError where nothing is."""
        if said.strip().isdigit():
            return int(said)
        if said == "-":
            return 0
        names = parts(said, ".")
        schema, name = ("" if len(names) < 2 else names[-2]), names[-1]
        for one in (schema,) if schema else self.schemas:
            found = self._found(type_, one, name, said)
            if found is not None:
                return found
        raise _missing(type_, said)

    def _found(self, type_: int, schema: str, name: str, said: str) -> int | None:
        if type_ == codes.REGCLASS:
            if schema == SCHEMA:
                return self._own.classes.get(name)
            return self._reference.classes.get((schema, name))
        if type_ == codes.REGTYPE:
            known = self._reference.type_names.get((schema, name))
            if schema == SCHEMA:
                return self._own.types.get(name)
            return known if known is not None else self._reference.spelled.get(said.lower())
        if type_ == codes.REGNAMESPACE:
            return self._namespaces.get(name)
        if type_ == codes.REGPROC:
            functions = [
                one for one in self._reference.functions.get(name, ()) if one.schema == schema
            ]
            if len(functions) > 1:
                raise WireError("42725", f'more than one function named "{said}"')
            return functions[0].oid if functions else None
        if type_ == _PROCEDURE:
            return self._reference.procedures.get("".join(said.lower().split()))
        if type_ == _ROLE:
            return self._reference.roles.get(name)
        return None


def parts(said: str, between: str) -> list[str]:
    """Returns the names in a text, as PostgreSQL keeps them.

    >>> parts('"$user", Public', ",")
    ['$user', 'public']
    """
    text = said if between == "." else said.replace(between, ".")
    return [
        quoted.replace('""', '"') if quoted or bare == "" else bare.strip().lower()
        for quoted, bare in _PART.findall(text)
        if quoted or bare.strip()
    ]


def _missing(type_: int, said: str) -> WireError:
    if type_ == codes.REGCLASS:
        return WireError("42P01", f'relation "{said}" does not exist')
    if type_ == codes.REGTYPE:
        return WireError("42704", f'type "{said}" does not exist')
    if type_ == codes.REGNAMESPACE:
        return WireError("3F000", f'schema "{said}" does not exist')
    if type_ in (codes.REGPROC, _PROCEDURE):
        return WireError("42883", f'function "{said}" does not exist')
    return WireError("42704", f'"{said}" does not exist')
