"""Decides when two given names may belong to one person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from roundview_catalog.normalizers import name_key

_GROUPS = (
    "alexander alex sascha sandro",
    "alexandra alex sandra",
    "andreas andy andi andrew drew",
    "anna anne ann annie anni",
    "anthony tony anton toni antonio",
    "barbara barb babs",
    "benjamin ben benny",
    "charles charlie chuck karl carl",
    "christian chris",
    "christopher chris kit christoph christof",
    "christina christine tina chris kristina",
    "daniel dan danny",
    "david dave davy",
    "deborah debbie deb",
    "dorothy dot dotty",
    "edward ed eddie ted ned eduard edi",
    "elizabeth elisabeth liz beth betty lisa eliza elsbeth",
    "frank francis franz",
    "frederick fred freddy friedrich fritz",
    "george georg jorg jurgen",
    "gregory greg",
    "helen helena helene",
    "henry harry hank heinrich heinz",
    "jacob jake jakob",
    "james jim jimmy jamie",
    "jennifer jen jenny",
    "jessica jess jessie",
    "johann johannes hans john jack johnny jan",
    "jonathan jon johnny",
    "joseph joe joey josef sepp",
    "katherine catherine kate katie kathy cathy katharina kathrin",
    "kenneth ken kenny",
    "lawrence larry laurence",
    "leonard leo len lenny leonhard",
    "margaret maggie meg peggy greta margarete margarethe",
    "maria marie mary mia",
    "martin marty",
    "matthew matt matthias mathias",
    "maximilian max",
    "michael mike mick mickey michel",
    "nicholas nick nikolaus niklas klaus nico",
    "nathan nate nathaniel",
    "pamela pam",
    "patricia pat patty tricia",
    "patrick pat paddy",
    "peter pete",
    "philip phil philipp",
    "raymond ray",
    "rebecca becky becca",
    "richard rick dick rich ricky",
    "robert bob rob bobby bert",
    "ronald ron ronnie",
    "samuel sam sammy",
    "samantha sam",
    "sebastian basti seb",
    "stephen steve steven stefan stephan",
    "susan sue susie susanne susanna",
    "theodore ted theo theodor",
    "thomas tom tommy",
    "timothy tim timo",
    "victoria vicky tori viktoria",
    "vincent vince",
    "walter walt",
    "william bill will billy liam wilhelm willi",
)
_NICKNAMES: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        name: frozenset(at for at, group in enumerate(_GROUPS) if name in group.split())
        for group in _GROUPS
        for name in group.split()
    }
)


def same_given(a: str, b: str) -> bool | None:
    """Tells whether two given names may be one person's; None if one is missing.

    Equal, nicknames, an initial, a typo (Jaro-Winkler at least 0.88) or one sound (Soundex).

    >>> same_given("Robert", "Bob"), same_given("R.", "Robert"), same_given("Anna", "Peter")
    (True, True, False)
    """
    left, right = name_key(a), name_key(b)
    if not left or not right:
        return None
    if left == right or (left[0] == right[0] and 1 in (len(left), len(right))):
        return True
    first = name_key(a.split()[0]), name_key(b.split()[0])
    if first[0] == first[1] or _NICKNAMES.get(first[0], frozenset()) & _NICKNAMES.get(
        first[1], frozenset()
    ):
        return True
    return jaro_winkler(left, right) >= 0.88 or (
        len(left) > 3 and len(right) > 3 and soundex(left) == soundex(right) != "0000"
    )


def nickname_roots(name: str) -> tuple[str, ...]:
    """Returns the names that a given name (a `name_key`) may stand for, itself if none is known.

    >>> nickname_roots("bob"), nickname_roots("ted"), nickname_roots("zoe")
    (('robert',), ('edward', 'theodore'), ('zoe',))
    """
    groups = _NICKNAMES.get(name)
    if not groups:
        return (name,)
    return tuple(_GROUPS[at].split(maxsplit=1)[0] for at in sorted(groups))


def soundex(text: str) -> str:
    """Returns the four-character sound of a name (American Soundex, US patent 1,261,167)."""
    letters = [c for c in text.upper() if "A" <= c <= "Z"]
    if not letters:
        return "0000"
    result = letters[0]
    last = _SOUNDS.get(letters[0], "")
    for letter in letters[1:]:
        sound = _SOUNDS.get(letter, "")
        if sound and sound != last:
            result += sound
        if letter not in "HW":
            last = sound
    return (result + "000")[:4]


def jaro_winkler(a: str, b: str) -> float:
    """Returns how alike two texts are, 0 to 1 (Winkler 1990, prefix weight 0.1)."""
    if a == b:
        return 1.0
    reach = max(len(a), len(b)) // 2 - 1
    taken = [False] * len(b)
    matched: list[str] = []
    for at, letter in enumerate(a):
        for other in range(max(0, at - reach), min(len(b), at + reach + 1)):
            if not taken[other] and b[other] == letter:
                taken[other] = True
                matched.append(letter)
                break
    if not matched:
        return 0.0
    theirs = [letter for letter, is_taken in zip(b, taken, strict=True) if is_taken]
    swaps = sum(x != y for x, y in zip(matched, theirs, strict=True)) / 2
    count = len(matched)
    jaro = (count / len(a) + count / len(b) + (count - swaps) / count) / 3
    prefix = 0
    for x, y in zip(a[:4], b[:4], strict=False):
        if x != y:
            break
        prefix += 1
    return jaro + prefix * 0.1 * (1 - jaro)


_SOUNDS: Mapping[str, str] = MappingProxyType(
    {
        letter: sound
        for letters, sound in (
            ("BFPV", "1"),
            ("CGJKQSXZ", "2"),
            ("DT", "3"),
            ("L", "4"),
            ("MN", "5"),
            ("R", "6"),
        )
        for letter in letters
    }
)
