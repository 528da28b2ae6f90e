"""Computes each function over values that are not NULL, as PostgreSQL does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from roundview_catalog import normalizers
from roundview_catalog.expressions.casts import to_text
from roundview_catalog.places import COUNTRIES

LONGEST = 1 << 20


def lower(text: str) -> str:
    """Returns text in lower case, character by character."""
    if text.isascii():
        return text.lower()
    return "".join(one if len(one) == 1 else one[0] for one in map(str.lower, text))


def upper(text: str) -> str:
    """Returns text in upper case, character by character: ß has none."""
    if text.isascii():
        return text.upper()
    return "".join(
        up if len(up) == 1 else one for one, up in zip(text, map(str.upper, text), strict=True)
    )


def left(text: str, count: int) -> str:
    """Returns the first characters; all but the last for a negative count."""
    return text[:count]


def right(text: str, count: int) -> str:
    """Returns the last characters; all but the first for a negative count."""
    return text[-count:] if count else ""


def substring(text: str, start: int, length: int | None = None) -> str:
    """Returns characters from a 1-based place on; places before the text count."""
    if length is None:
        return text[max(0, start - 1) :]
    if length < 0:
        raise ValueError("negative substring length")
    return text[max(0, start - 1) : max(0, start - 1 + length)]


def replace(text: str, old: str, new: str) -> str:
    """Returns text with every occurrence replaced."""
    if not old:
        return text
    return _bounded(len(text) + text.count(old) * max(0, len(new)), text.replace, old, new)


def split_part(text: str, delimiter: str, part: int) -> str:
    """Returns the nth part of text, from the end where n is negative."""
    if part == 0:
        raise ValueError("field position must not be zero")
    parts = text.split(delimiter) if delimiter else [text]
    index = part - 1 if part > 0 else len(parts) + part
    return parts[index] if 0 <= index < len(parts) else ""


def strpos(text: str, part: str) -> int:
    """Returns the 1-based place of a part, 0 if there is none."""
    return text.find(part) + 1


def lpad(text: str, length: int, fill: str = " ") -> str:
    """Returns text filled on the left, or cut, to a length."""
    return text[: max(0, length)] if len(text) >= length else _fill(text, length, fill) + text


def rpad(text: str, length: int, fill: str = " ") -> str:
    """Returns text filled on the right, or cut, to a length."""
    return text[: max(0, length)] if len(text) >= length else text + _fill(text, length, fill)


def trim(text: str, characters: str = " ") -> str:
    """Returns text without those characters at both ends."""
    return text.strip(characters)


def ltrim(text: str, characters: str = " ") -> str:
    """Returns text without those characters at its beginning."""
    return text.lstrip(characters)


def rtrim(text: str, characters: str = " ") -> str:
    """Returns text without those characters at its end."""
    return text.rstrip(characters)


def concat(*values: Any) -> str:
    """Returns all values that are not NULL as one text; booleans are t and f."""
    return "".join(_output(value) for value in values if value is not None)


def concat_ws(separator: str, *values: Any) -> str:
    """Returns all values that are not NULL as one text with separators."""
    return separator.join(_output(value) for value in values if value is not None)


def like(text: str, pattern: str) -> bool:
    """Tells whether text is like a pattern of %, _ and backslash escapes."""
    return _pattern(pattern).fullmatch(text) is not None


def ilike(text: str, pattern: str) -> bool:
    """Tells whether text is like a pattern whatever the case."""
    return _pattern(lower(pattern)).fullmatch(lower(text)) is not None


def is_in(value: Any, options: Iterable[Any]) -> bool | None:
    """Returns SQL's IN for a value that is not NULL: NULL where a NULL leaves it open."""
    unsure = False
    for option in options:
        if option is None:
            unsure = True
        elif option == value:
            return True
    return None if unsure else False


def coalesce(*values: Any) -> Any:
    """Returns the first value that is not NULL."""
    return next((value for value in values if value is not None), None)


def greatest(*values: Any) -> Any:
    """Returns the greatest value that is not NULL."""
    known = [value for value in values if value is not None]
    return max(known) if known else None


def least(*values: Any) -> Any:
    """Returns the least value that is not NULL."""
    known = [value for value in values if value is not None]
    return min(known) if known else None


def json_get(value: Any, step: str | int) -> Any:
    """Returns a member or an element of a JSON value, None if there is none."""
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    # A value that is no list is a list of one for PostgreSQL's jsonb.
    found = value if isinstance(value, list) else () if isinstance(value, dict) else (value,)
    return found[step] if -len(found) <= step < len(found) else None


def json_text(value: Any, step: str | int) -> str | None:
    """Returns a member or an element of a JSON value as text, None if there is none."""
    found = json_get(value, step)
    if found is None or isinstance(found, str):
        return found
    return to_text(found)


def aggregate_count(values: list[Any]) -> int:
    """Returns how many values are not NULL."""
    return len(values) - values.count(None)


def aggregate_min(values: list[Any]) -> Any:
    """Returns the least value that is not NULL, NULL if there are none."""
    known = [value for value in values if value is not None]
    return min(known) if known else None


def aggregate_max(values: list[Any]) -> Any:
    """Returns the greatest value that is not NULL, NULL if there are none."""
    known = [value for value in values if value is not None]
    return max(known) if known else None


def aggregate_or(values: list[bool | None]) -> bool | None:
    """Tells whether any value is TRUE, NULL if there are none."""
    known = [value for value in values if value is not None]
    return any(known) if known else None


def aggregate_and(values: list[bool | None]) -> bool | None:
    """Tells whether every value is TRUE, NULL if there are none."""
    known = [value for value in values if value is not None]
    return all(known) if known else None


def aggregate_text(values: list[str | None], separator: str | None) -> str | None:
    """Returns the texts that are not NULL, joined in their order; NULL if there are none."""
    known = [value for value in values if value is not None]
    return (separator or "").join(known) if known else None


def distinct(values: list[Any]) -> list[Any]:
    """Returns each value once."""
    return list(dict.fromkeys(values))


def normalize_email(value: str) -> str | None:
    """Returns an email address in its normal form."""
    return normalizers.normalize("email", value)


def normalize_phone(value: str, region: str | None = None) -> str | None:
    """Returns a phone number in E.164; `region` is the country of numbers without one."""
    return normalizers.normalize("phone", value, region=country_code(region or "") or "")


def normalize_code(value: str) -> str | None:
    """Returns a loyalty or account number in its normal form."""
    return normalizers.normalize("code", value)


def normalize_handle(value: str) -> str | None:
    """Returns a name in a social network in its normal form."""
    return normalizers.normalize("handle", value)


def normalize_name(value: str) -> str | None:
    """Returns a person's name as it is compared."""
    return normalizers.name_key(value) or None


def country_code(value: str) -> str | None:
    """Returns the ISO 3166-1 code of a country's name or code."""
    return COUNTRIES.get(value.strip().upper())


def email_domain(value: str) -> str | None:
    """Returns what follows the at sign, in lower case."""
    return value.rpartition("@")[2].strip().lower() or None if "@" in value else None


def _output(value: Any) -> str:
    if value is True or value is False:
        return "t" if value else "f"
    return to_text(value)


def _fill(text: str, length: int, fill: str) -> str:
    if not fill:
        return ""
    missing = length - len(text)
    return _bounded(length, lambda: (fill * (missing // len(fill) + 1))[:missing])


def _bounded(length: int, make: Callable[..., str], *arguments: Any) -> str:
    if length > LONGEST:
        raise ValueError("text too long")
    return make(*arguments)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    result = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            following = next(characters, None)
            if following is None:
                raise ValueError("a LIKE pattern must not end with an escape")
            result.append(re.escape(following))
        else:
            result.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return re.compile("".join(result), re.DOTALL)
