"""Decides how canonical names are spelled on the page and in its operations."""

from __future__ import annotations

from functools import cache


@cache
def camel(name: str) -> str:
    """Returns the GraphQL spelling of a canonical name.

    >>> camel("sales_order"), camel("phone_e164")
    ('salesOrder', 'phoneE164')
    """
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@cache
def label(name: str) -> str:
    """Returns a canonical name as people read it.

    >>> label("contact_point_email"), label("customer_id"), label("sla_due_at")
    ('Contact point email', 'Customer ID', 'SLA due')
    """
    words = [_SPELLED.get(word, word) for word in name.split("_")]
    if len(words) > 1 and words[-1] in ("at", "key", "no"):
        words[-1] = {"at": "", "key": "record", "no": "number"}[words[-1]]
    text = " ".join(word for word in words if word)
    return text[:1].upper() + text[1:]


_SPELLED = {
    "id": "ID",
    "sku": "SKU",
    "url": "URL",
    "sla": "SLA",
    "sms": "SMS",
    "e164": "(E.164)",
    "whatsapp": "WhatsApp",
}
