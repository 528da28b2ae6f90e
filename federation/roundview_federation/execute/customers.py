"""Decides with which keys the customers of a question are asked for, and whose each key is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from roundview_catalog.types import Kind, Type
from roundview_federation.plan import KeySet
from roundview_federation.result import Found
from roundview_federation.rewrite.source_keys import (
    INTEGERS,
    native_key,
    native_value,
    split_key,
)

NOBODY: Final = -1
"""Whose a key is that nobody has."""

_NO_UUID: Final = str(UUID(int=0))


@dataclass(slots=True)
class Customers:
    """The customers of one lookup, in the order asked.

    `keys`: source -> (individual branch, source key without it, customer index) of every
    record that the xref links to them. `repeats`: index of a customer who was asked for before
    -> the first index, which has the keys. `asks_for_nobody`: where there are no keys, sources are
    asked all the same, by one that is nobody's, so that they are asked the same of everyone.
    """

    ids: list[str | None]
    link_states: list[str]
    keys: dict[str, list[tuple[str, str, int]]]
    repeats: dict[int, int] = field(default_factory=dict)
    asks_for_nobody: bool = False

    @classmethod
    def of(
        cls, found: Sequence[Found], members: Callable[[str], Sequence[tuple[str, str]]]
    ) -> Customers:
        """Collects the records of each found customer; `members` reads the xref."""
        keys: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        first: dict[str, int] = {}
        repeats: dict[int, int] = {}
        for index, one in enumerate(found):
            if one.customer_id is None:
                continue
            if first.setdefault(one.customer_id, index) != index:
                repeats[index] = first[one.customer_id]
                continue
            for source, source_key in one.fingerprints or members(one.customer_id):
                branch, key = split_key(source_key)
                keys[source].append((branch, key, index))
        ids, states = [f.customer_id for f in found], [f.link_state for f in found]
        return cls(ids, states, dict(keys), repeats)


def bind(keyset: KeySet, customers: Customers) -> dict[Any, Any]:
    """Returns the native keys of a key set and whose they are.

    Keys that do not fit the column's type cannot be in the source and are left out.
    """
    owners: dict[Any, Any] = {}
    for branch, text, index in customers.keys.get(keyset.source, ()):
        if branch != keyset.branch:
            continue
        if keyset.opened is not None:
            opened = keyset.opened(text)
            if opened is None:
                continue
            text = opened
        native = native_key(text, keyset.types, keyset.prefixes)
        if native is not None:
            owners[native] = index
    return owners


def nobodys_key(keyset: KeySet) -> Any:
    """Returns a key of a key set's types that no record has; should one have it, it is nobody's.

    >>> nobodys_key(KeySet("k", "crm", "", (Type(Kind.BIGINT), Type(Kind.TEXT))))
    (0, '00000000-0000-0000-0000-000000000000')
    """
    parts = tuple(_nobodys(type_) for type_ in keyset.types)
    return parts[0] if len(parts) == 1 else parts


def values_of(keyset: KeySet, params: Mapping[str, Any]) -> dict[Any, Any]:
    """Returns the values of a key set's parameter as its columns hold them.

    The parameter of a list holds several, that of an equality is the value itself.
    """
    native = native_key if keyset.is_record_key else _native
    told = params[keyset.param]
    several = told if isinstance(told, list | tuple | dict | set | frozenset) else (told,)
    found = (native(value, keyset.types, keyset.prefixes) for value in several)
    return {value: None for value in found if value is not None}


def _nobodys(type_: Type) -> Any:
    if type_.kind in INTEGERS:
        return 0
    if type_.kind is Kind.DECIMAL:
        return Decimal(0)
    if type_.kind is Kind.DATE:
        return date.min
    return _NO_UUID


def _native(value: Any, types: tuple[Type, ...], prefixes: tuple[str, ...]) -> Any:
    return native_value(value, types[0], prefixes[0])
