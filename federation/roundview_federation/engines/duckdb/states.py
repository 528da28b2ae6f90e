"""Decides which of PostgreSQL's errors a failed statement of DuckDB is, by its SQLSTATE.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from typing import Final

# Generated SQL marks its own failures with the SQLSTATE that PostgreSQL has for them.
_MARKED: Final = re.compile(r"\broundview:([0-9A-Z]{5})\b")
_KIND: Final = re.compile(
    r"(Out of Range|Conversion|Invalid Input|Divide by Zero|Mismatch Type|Binder) Error: "
)
_OF_TEXT: Final = "Could not convert string"
_LARGEST_DECIMAL: Final = re.compile(r"['\"] to DECIMAL\(38,")
_TOO_LARGE_FOR_ANY: Final = re.compile(r"Casting value \"[-.\d]*\" to type DECIMAL\(38,")
_NUMBER_AS_TEXT: Final = re.compile(r"Could not convert string '\s*[-+]?\d+\s*' to U?INT")
# What DuckDB says, in order. PostgreSQL's numeric has no end where DuckDB's numbers overflow.
_SIGNS: Final = tuple(
    (re.compile(sign), state)
    for sign, state in (
        ("More than one row returned by a subquery", "21000"),
        ("[Dd]ivision by zero", "22012"),
        ("must appear in the (GROUP BY|group by)", "42803"),
        (r"INT128|HUGEINT|DECIMAL\(38|Overflow in \w+ of DECIMAL", "0A000"),
        ("field format", "22007"),
        ("([Dd]ate|[Tt]ime|interval).* range", "22008"),
    )
)
_BY_KIND: Final = {
    "Out of Range": "22003",
    "Conversion": "22003",
    "Invalid Input": "22023",
    "Divide by Zero": "22012",
    "Mismatch Type": "22023",
    "Binder": "0A000",
}


def state_of(error: BaseException) -> str:
    """Returns the SQLSTATE of what a statement raised, empty where it is no fault of its values.

    What fails while batches are read arrives as an OSError of pyarrow: only its text counts.

    >>> state_of(ValueError("Invalid Input Error: roundview:22011")), state_of(ValueError("…"))
    ('22011', '')
    """
    text = str(error)
    if (marked := _MARKED.search(text)) is not None:
        return marked[1]
    kind = _KIND.match(text)
    if kind is None:
        return ""
    said = text[kind.end() :]
    if said.startswith(_OF_TEXT):
        if _LARGEST_DECIMAL.search(said):
            return "0A000"
        return "22003" if _NUMBER_AS_TEXT.match(said) else "22P02"
    if _TOO_LARGE_FOR_ANY.match(said):
        return "0A000"
    # From the first quote on it is data.
    said = said.partition('"')[0]
    for sign, state in _SIGNS:
        if sign.search(said):
            return state
    return _BY_KIND[kind[1]]
