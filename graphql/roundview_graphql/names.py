"""Decides how canonical names are written in GraphQL: camelCase, and nothing else."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z][_0-9A-Za-z]*")
_NOT_WORD = re.compile(r"[^_0-9A-Za-z]+")
_RESERVED_VALUES = frozenset({"true", "false", "null"})


def camel(name: str) -> str:
    """Returns the field name of a canonical name.

    >>> camel("sales_order_product"), camel("line1")
    ('salesOrderProduct', 'line1')
    """
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)


def pascal(name: str) -> str:
    """Returns the type name of a canonical name.

    >>> pascal("sales_order")
    'SalesOrder'
    """
    result = camel(name)
    return result[:1].upper() + result[1:]


def enum_value(value: str) -> str:
    """Returns the name of an enum value: the canonical value where GraphQL allows it.

    >>> enum_value("opt_in"), enum_value("e-mail"), enum_value("true")
    ('opt_in', 'e_mail', 'true_')
    """
    name = _NOT_WORD.sub("_", value)
    if not name or name[0].isdigit() or name.startswith("__"):
        name = "v" + name
    return name + "_" if name in _RESERVED_VALUES else name


def is_legal(name: str) -> bool:
    """Tells whether GraphQL allows this name for a type or a field."""
    return _NAME.fullmatch(name) is not None
