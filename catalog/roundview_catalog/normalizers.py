"""Decides the one form in which an identifier is compared, whoever wrote it how."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

import phonenumbers

LONGEST = 320
_KEPT = 16_384

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_EMAIL = re.compile(r"[a-z0-9.!#$&'*+/=?^_`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_NOT_ALNUM = re.compile(r"[^0-9A-Z]+")
_PHONE = re.compile(r"[+0-9(][0-9 ()./\-]*(?:(?:ext|x|#)\.? ?[0-9]+)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_DOTS = frozenset({"gmail.com", "googlemail.com"})
_PLACEHOLDER_LOCALS = frozenset(
    {
        "noemail",
        "no-email",
        "none",
        "na",
        "n/a",
        "test",
        "unknown",
        "noreply",
        "no-reply",
        "nomail",
        "anonymous",
        "noone",
        "keine",
        "example",
        "dummy",
        "invalid",
    }
)
_PLACEHOLDER_CODES = frozenset({"NA", "NONE", "NULL", "UNKNOWN", "TEST", "KEINE", "GUEST"})
_DIAL_PREFIXES = ("00",)
# ITU-T E.164 allows 15; nothing shorter than 7 is more than an extension.
_E164_DIGITS = range(7, 16)


def normalize(normalizer: str, value: str, *, region: str = "") -> str | None:
    """Returns the normal form of a value, None if it cannot be one.

    Normalizers: email, phone (E.164; `region` is the country of numbers without one), code
    (loyalty and account numbers), handle (social names), text (numbers asked as they are).

    >>> normalize("email", " Ann.Lee+shop@GMail.com "), normalize("code", "ab-12 3")
    ('annlee@gmail.com', 'AB123')
    """
    text = clean(value)
    if text is None:
        return None
    return _NORMALIZERS[normalizer](text, region)


def candidates(normalizer: str, value: str, regions: Iterable[str]) -> tuple[str, ...]:
    """Returns every normal form that a caller may mean: phones without country once a region.

    An empty tuple means that this cannot be such an identifier.
    """
    forms = [normalize(normalizer, value)]
    if normalizer == "phone" and forms == [None]:
        forms = [normalize(normalizer, value, region=region) for region in regions]
    return tuple(dict.fromkeys(form for form in forms if form))


def clean(value: str) -> str | None:
    """Returns text in NFKC without invisible marks and outer blanks; None if unusable."""
    if len(value) > LONGEST:
        return None
    if value.isascii() and value.isprintable():
        return value.strip() or None
    if _CONTROL.search(value):
        return None
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", value)).strip()
    return text or None


def is_placeholder(kind: str, normalized: str) -> bool:
    """Tells whether a value stands for "none": noemail@…, 000000, toll-free numbers."""
    if kind == "email":
        local, _, domain = normalized.partition("@")
        return local in _PLACEHOLDER_LOCALS or domain in ("example.invalid", "none.com")
    digits = "".join(c for c in normalized if c.isdigit())
    if kind == "phone":
        subscriber = digits[-7:]
        return len(set(subscriber)) == 1 or digits[-9:] in ("123456789", "012345678")
    if normalized in _PLACEHOLDER_CODES:
        return True
    return bool(normalized) and len(set(normalized)) == 1


def name_key(text: str) -> str:
    """Returns a name for comparison: case folded, without accents, blanks and marks.

    >>> name_key(" José-María ")
    'josemaria'
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text)).casefold()
    return "".join(c for c in folded if c.isalnum())


@lru_cache(maxsize=_KEPT)
def phone_country(e164: str) -> str | None:
    """Returns the country of an E.164 number as ISO 3166-1 alpha-2."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=_KEPT)
def is_mobile(e164: str) -> bool | None:
    """Tells whether an E.164 number is a mobile one; None if its plan does not say."""
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return None
    if kind == phonenumbers.PhoneNumberType.MOBILE:
        return True
    if kind == phonenumbers.PhoneNumberType.FIXED_LINE:
        return False
    return None


def _email(text: str, region: str) -> str | None:
    text = text.lower().removeprefix("mailto:")
    local, at, domain = text.rpartition("@")
    if not at:
        return None
    local = local.split("+", 1)[0]
    if domain in _NO_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    result = f"{local}@{domain}"
    return result if _EMAIL.fullmatch(result) else None


def _phone(text: str, region: str) -> str | None:
    return _parsed_phone(text.removeprefix("tel:"), region)


@lru_cache(maxsize=_KEPT)
def _parsed_phone(text: str, region: str) -> str | None:
    text = text.replace("\u2010", "-").replace("\u2011", "-").replace("\u2013", "-")
    text = text.replace("(0)", "") if text.startswith(("+", "00")) else text
    if not _PHONE.fullmatch(text):
        return None
    for prefix in _DIAL_PREFIXES:
        # 00 is not every country's exit code for the library, but it is what people write.
        if text.startswith(prefix):
            text = "+" + text[len(prefix) :]
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return form if len(form) - 1 in _E164_DIGITS else None


def _code(text: str, region: str) -> str | None:
    return _NOT_ALNUM.sub("", text.upper()) or None


def _handle(text: str, region: str) -> str | None:
    handle = text.lower().rstrip("/").rpartition("/")[2].lstrip("@")
    return handle if handle and not any(c.isspace() for c in handle) else None


def _text(text: str, region: str) -> str | None:
    return text if len(text) <= 128 else None


_NORMALIZERS: Mapping[str, Callable[[str, str], str | None]] = MappingProxyType(
    {"email": _email, "phone": _phone, "code": _code, "handle": _handle, "text": _text}
)
NORMALIZERS = tuple(_NORMALIZERS)
