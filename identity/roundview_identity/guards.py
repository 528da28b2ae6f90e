"""Decides whether two records that share an identifier can be one person, from keyed codes.

A guard is what is kept of a record's given name and birth date beside one identifier. Equal
names have equal codes only under the same identifier, so nothing can be counted across the
store: a frequent name looks like any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from roundview_catalog.names import nickname_roots, soundex
from roundview_catalog.normalizers import name_key
from roundview_identity.records import Record

_WIDTH = 16
_CODE = 4
_ROOTS, _VARIANTS = 3, 8
_SLOTS = _ROOTS + 3 + 3 + _VARIANTS
_SIZE = 1 + _SLOTS * _CODE
_BITS = 8 * _CODE
_WORD = re.compile(r"[\s\-.]+")
_VOWELS = re.compile("[aeiouy]+")
_UMLAUT = re.compile("([aou])e")
_SHORTEST_WITH_TYPO = 5
_NOT_A_BIRTH_DATE = frozenset({"1900-01-01", "1970-01-01", "0001-01-01", "9999-12-31"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


# Plain integers: comparing runs for every pair of records that share an identifier, and
# enum.IntFlag costs ten times as much.
GIVEN_AGREES, BIRTH_AGREES, GIVEN_DIFFERS, BIRTH_DIFFERS = 1, 2, 4, 8
"""What two guards say of each other; 0 where they say nothing."""
DIFFERS = GIVEN_DIFFERS | BIRTH_DIFFERS

_GIVEN, _INITIAL, _FAMILY, _BIRTH, _LATIN = 1, 2, 4, 8, 16
_NAMED = _GIVEN | _INITIAL


class Guards:
    """Makes guards under one key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 2 * _WIDTH:
            raise ValueError(f"a guard key has {2 * _WIDTH} bytes")
        token_key, code_key = key[:_WIDTH], key[_WIDTH:]
        # One block per input: AES serves as a pseudorandom function; nothing is decrypted.
        self._cipher = Cipher(algorithms.AES(code_key), modes.ECB())  # noqa: S305

        def token(text: str) -> bytes:
            return hashlib.blake2b(text.encode(), digest_size=_WIDTH, key=token_key).digest()

        self._token = lru_cache(maxsize=50_000)(token)
        self._name = lru_cache(maxsize=50_000)(self._name_tokens)

    def tokens(self, record: Record) -> bytes:
        """Returns what `seal` needs of a record: a flag byte and tokens, never to be stored.

        Empty where the record has neither given name nor birth date.
        """
        flags, names = self._name(record.given_name, record.family_name)
        born = record.birth_date[:10]
        if _DATE.fullmatch(born) and born not in _NOT_A_BIRTH_DATE:
            year, month, day = born.split("-")
            flags |= _BIRTH
            # Day and month share one domain, so that exchanging them can be seen.
            parts = self._token(f"y{year}") + self._token(f"p{month}") + self._token(f"p{day}")
        elif flags:
            parts = bytes(3 * _WIDTH)
        else:
            return b""
        return bytes((flags,)) + parts + names

    def seal(self, id_hashes: Sequence[bytes], tokens: Sequence[bytes]) -> list[bytes]:
        """Returns the guard of each pair of identifier hash (16 bytes) and tokens.

        AES(hash xor token) cut to four bytes for each token, for all pairs in one pass.
        """
        full = [at for at, one in enumerate(tokens) if one]
        result = [b""] * len(tokens)
        if not full:
            return result
        left = b"".join(id_hashes[at] * _SLOTS for at in full)
        right = b"".join(tokens[at][1:] for at in full)
        size = len(left)
        mixed = (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(size, "big")
        encryptor = self._cipher.encryptor()
        codes = (encryptor.update(mixed) + encryptor.finalize())[:: _WIDTH // _CODE]
        step = _SLOTS * _CODE
        for place, at in enumerate(full):
            result[at] = tokens[at][:1] + codes[place * step : (place + 1) * step]
        return result

    def _name_tokens(self, given: str, family: str) -> tuple[int, bytes]:
        first = next(filter(None, map(name_key, _WORD.split(given.strip()))), "")
        if not first:
            return 0, bytes((_SLOTS - 3) * _WIDTH)
        surname = name_key(family)
        flags = _INITIAL if len(first) == 1 else _GIVEN
        if soundex(first) != "0000":
            flags |= _LATIN
        pair = bytes(_WIDTH)
        if surname and len(first) > 1:
            flags |= _FAMILY
            pair = self._token("w" + "\x00".join(sorted((first, surname))))
        roots = [self._token(f"r{root}") for root in nickname_roots(first)[:_ROOTS]]
        roots += roots[:1] * (_ROOTS - len(roots))
        variants = [self._token(f"v{v}") for v in _variants(first)]
        variants += (variants or roots)[:1] * (_VARIANTS - len(variants))
        sound = self._token(f"s{_sound(first)}")
        return flags, b"".join((*roots, sound, self._token(f"i{first[0]}"), pair, *variants))


def compare(a: bytes, b: bytes) -> int:
    """Returns what two guards of one identifier say of each other.

    Given names agree if equal, nicknames, an initial, one sound, one slip of the fingers, or
    exchanged with the family name; birth dates if two of year, month and day are equal or day
    and month are exchanged. Guards of different identifiers must not be compared.
    """
    if not a or not b:
        return 0
    mine, theirs = a[0], b[0]
    verdict = 0
    if mine & theirs & _BIRTH:
        verdict = _birth(a, b)
    # A name in another script says nothing: Yulia may well be Юлия.
    if mine & _NAMED and theirs & _NAMED and not (mine ^ theirs) & _LATIN:
        agrees = _given(a, b, mine, theirs)
        verdict |= GIVEN_AGREES if agrees else GIVEN_DIFFERS
    return verdict


def is_named(guard: bytes) -> bool:
    """Tells whether a guard is of a record with a given name."""
    return bool(guard) and bool(guard[0] & _NAMED)


_BIRTH_AT = 1
_ROOTS_AT = _BIRTH_AT + 3 * _CODE
_SOUND_AT = _ROOTS_AT + _ROOTS * _CODE
_INITIAL_AT = _SOUND_AT + _CODE
_PAIR_AT = _INITIAL_AT + _CODE
_VARIANTS_AT = _PAIR_AT + _CODE


def _birth(a: bytes, b: bytes) -> int:
    y, m, d = _BIRTH_AT, _BIRTH_AT + _CODE, _BIRTH_AT + 2 * _CODE
    if a[y:_ROOTS_AT] == b[y:_ROOTS_AT]:
        return BIRTH_AGREES
    year, month, day = a[y:m] == b[y:m], a[m:d] == b[m:d], a[d:_ROOTS_AT] == b[d:_ROOTS_AT]
    if year + month + day >= 2:
        return 0
    if year and a[m:d] == b[d:_ROOTS_AT] and a[d:_ROOTS_AT] == b[m:d]:
        return 0
    return BIRTH_DIFFERS


def _given(a: bytes, b: bytes, mine: int, theirs: int) -> bool:
    if a[_ROOTS_AT:_SOUND_AT] == b[_ROOTS_AT:_SOUND_AT]:
        return True
    if (mine | theirs) & _INITIAL:
        return a[_INITIAL_AT:_PAIR_AT] == b[_INITIAL_AT:_PAIR_AT]
    if a[_SOUND_AT:_INITIAL_AT] == b[_SOUND_AT:_INITIAL_AT]:
        return True
    if mine & theirs & _FAMILY and a[_PAIR_AT:_VARIANTS_AT] == b[_PAIR_AT:_VARIANTS_AT]:
        return True
    if _share(a, b, _ROOTS_AT, _SOUND_AT):
        return True
    same_initial = a[_INITIAL_AT:_PAIR_AT] == b[_INITIAL_AT:_PAIR_AT]
    return same_initial and _share(a, b, _VARIANTS_AT, _SIZE)


def _share(a: bytes, b: bytes, start: int, stop: int) -> bool:
    mine = {a[at : at + _CODE] for at in range(start, stop, _CODE)}
    return any(b[at : at + _CODE] in mine for at in range(start, stop, _CODE))


def _sound(first: str) -> str:
    """Returns Soundex with the first vowels and the closing one: Soundex alone takes John for
    Jane and Joan, and Mario for Maria."""
    code = soundex(first)
    if code == "0000":
        return f"={first}"
    first = _UMLAUT.sub(r"\1", first)
    vowels = _VOWELS.search(first, 1)
    ending = first[-1] if first[-1] in "aeiouy" else ""
    return f"{code}{vowels.group() if vowels else ''}|{ending}"


def _variants(first: str) -> Iterator[str]:
    """Yields the name with one inner letter left out: names one slip apart share one.

    First and last letter stay, so that Martin and Martina share none.
    """
    if len(first) < _SHORTEST_WITH_TYPO:
        return
    yield from list(dict.fromkeys(first[:at] + first[at + 1 :] for at in range(1, len(first) - 1)))[
        : _VARIANTS - 1
    ]
    # The name itself: a letter too many in one is the other one's whole name.
    yield first
