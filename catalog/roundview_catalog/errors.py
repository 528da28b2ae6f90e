"""Decides how every failure of Roundview is named, worded and mapped to each door.

RoundviewError
├── RequestError     RV1xx  the question cannot be asked like this
├── CatalogError     RV2xx  the catalog is wrong (carries every Problem found)
├── AccessError      RV3xx  this principal may not
├── SourceError      RV4xx  a source failed (names the source, never its host or text)
├── EngineError      RV5xx  what finishes the question failed
├── IdentityError    RV6xx  the identifier leads to no single customer
└── InternalError    RV9xx  our fault
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Points at one place of a catalog file: 1-based line and column."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """States one mistake of a catalog: where, which, and what to do."""

    position: Position
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.position} {self.code} {self.message}"
        return f"{text} — {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class Code:
    """Maps one error code to each door."""

    code: str
    title: str
    graphql: str
    sqlstate: str
    http: int
    exit: int


def _codes(*rows: tuple[str, str, str, str, int]) -> Mapping[str, Code]:
    exits = {"1": 2, "2": 1, "3": 3, "4": 4, "5": 5, "6": 6, "9": 70}
    table = {
        code: Code(code, title, graphql, sqlstate, http, exits[code[2]])
        for code, title, graphql, sqlstate, http in rows
    }
    return MappingProxyType(table)


CODES: Mapping[str, Code] = _codes(
    ("RV100", "request cannot be read", "BAD_REQUEST", "42601", 400),
    ("RV101", "identifier is not valid", "BAD_IDENTIFIER", "22023", 400),
    ("RV102", "unknown name", "UNKNOWN_NAME", "42703", 400),
    ("RV103", "not supported", "UNSUPPORTED", "0A000", 400),
    ("RV104", "cursor is stale or not ours", "STALE_CURSOR", "22023", 400),
    ("RV105", "value does not fit its type", "BAD_VALUE", "22023", 400),
    ("RV110", "document has too many tokens", "TOKEN_LIMIT", "54000", 400),
    ("RV111", "document is too deep", "DEPTH_LIMIT", "54000", 400),
    ("RV112", "document has too many aliases", "ALIAS_LIMIT", "54000", 400),
    ("RV113", "document has too many root fields", "ROOT_LIMIT", "54000", 400),
    ("RV114", "document has too many directives", "DIRECTIVE_LIMIT", "54000", 400),
    ("RV115", "document costs too much", "COST_LIMIT", "54000", 400),
    ("RV116", "body is too large", "BODY_LIMIT", "54000", 413),
    ("RV117", "key columns are not bound: scan needs permission", "SCAN_REFUSED", "54000", 400),
    ("RV120", "statement has a syntax error", "SYNTAX_ERROR", "42601", 400),
    ("RV121", "unknown relation", "UNKNOWN_RELATION", "42P01", 400),
    ("RV122", "unknown column", "UNKNOWN_COLUMN", "42703", 400),
    ("RV123", "unknown function or operator", "UNKNOWN_FUNCTION", "42883", 400),
    ("RV124", "ambiguous name", "AMBIGUOUS_NAME", "42702", 400),
    ("RV125", "types do not fit", "TYPE_MISMATCH", "42804", 400),
    ("RV126", "column is neither grouped nor aggregated", "GROUPING_ERROR", "42803", 400),
    ("RV127", "statement is too large", "STATEMENT_LIMIT", "54000", 400),
    ("RV128", "statement is nested too deeply", "NESTING_LIMIT", "54001", 400),
    ("RV130", "number is out of range", "NUMBER_RANGE", "22003", 400),
    ("RV131", "division by zero", "DIVISION_BY_ZERO", "22012", 400),
    ("RV132", "text is not a value of the type", "INVALID_TEXT", "22P02", 400),
    ("RV133", "subquery returned more than one row", "CARDINALITY", "21000", 400),
    ("RV134", "argument is out of its range", "INVALID_ARGUMENT", "22023", 400),
    ("RV135", "date or time is out of range", "TIME_RANGE", "22008", 400),
    ("RV200", "catalog is wrong", "CATALOG_ERROR", "F0000", 500),
    ("RV300", "not allowed", "POLICY_DENIED", "42501", 403),
    ("RV301", "purpose is missing or not allowed", "PURPOSE_DENIED", "42501", 403),
    ("RV302", "credential is missing or not accepted", "UNAUTHENTICATED", "28000", 401),
    ("RV303", "keys of an issuer cannot be had", "ISSUER_UNAVAILABLE", "58000", 503),
    ("RV304", "a reason is needed", "REASON_NEEDED", "42501", 403),
    ("RV305", "withheld without consent", "CONSENT_WITHHELD", "01000", 200),
    ("RV306", "too many failed attempts", "TOO_MANY_ATTEMPTS", "28000", 429),
    ("RV310", "audit log cannot be written", "AUDIT_UNAVAILABLE", "58030", 503),
    ("RV400", "source failed", "SOURCE_ERROR", "58000", 502),
    ("RV401", "source did not answer in time", "SOURCE_TIMEOUT", "57014", 504),
    ("RV402", "source cannot be reached", "SOURCE_UNAVAILABLE", "08001", 502),
    ("RV403", "source answered with something else than declared", "SOURCE_ERROR", "58000", 502),
    ("RV404", "source refuses us", "SOURCE_ERROR", "58000", 502),
    ("RV405", "answer of the source is too large", "SOURCE_ERROR", "54000", 502),
    ("RV406", "source is busy (rate limit)", "SOURCE_UNAVAILABLE", "53300", 503),
    ("RV407", "source is not proven to be read-only", "SOURCE_UNAVAILABLE", "58000", 503),
    ("RV500", "engine failed", "ENGINE_ERROR", "58000", 500),
    ("RV501", "engine is busy", "ENGINE_BUSY", "53300", 503),
    ("RV502", "question was stopped at its deadline", "ENGINE_TIMEOUT", "57014", 504),
    ("RV503", "question needs too much memory", "ENGINE_MEMORY", "53200", 400),
    ("RV504", "process of the engine ended", "ENGINE_ERROR", "58000", 503),
    ("RV505", "engine cannot be reached", "ENGINE_UNAVAILABLE", "08001", 503),
    ("RV506", "engine cannot read a source", "ENGINE_SOURCE_ERROR", "58000", 502),
    ("RV600", "identifier leads to several customers", "IDENTITY_AMBIGUOUS", "P0003", 200),
    ("RV601", "record is known but its person is not", "IDENTITY_UNLINKED", "P0002", 200),
    ("RV602", "identity store cannot be used", "IDENTITY_ERROR", "58000", 500),
    ("RV900", "internal error", "INTERNAL_ERROR", "XX000", 500),
)


class RoundviewError(Exception):
    """Carries code, message, hint and whether trying again can help.

    Text says what failed, where, why and what to do; never customer data, host names or
    the SQL of a source.
    """

    default_code = "RV900"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        retryable: bool = False,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.hint = hint
        self.retryable = retryable
        self.extensions = dict(extensions or {})

    @property
    def row(self) -> Code:
        """Returns the line of the code table that says how each door shows this error."""
        return CODES.get(self.code) or CODES[self.default_code]

    def __str__(self) -> str:
        text = f"{self.code} {self.message}"
        return f"{text} — {self.hint}" if self.hint else text


class RequestError(RoundviewError):
    """The question cannot be asked like this."""

    default_code = "RV100"


class CatalogError(RoundviewError):
    """The catalog is wrong; `problems` holds everything found, sorted by place."""

    default_code = "RV200"

    def __init__(self, problems: tuple[Problem, ...] | list[Problem], message: str = "") -> None:
        self.problems = tuple(sorted(set(problems)))
        shown = message or "\n".join(str(problem) for problem in self.problems)
        super().__init__(shown)


class AccessError(RoundviewError):
    """This principal may not."""

    default_code = "RV300"


_SOURCE_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "RV400": "read what the source itself has logged, and try again",
        "RV401": "try again; if it stays slow, raise its limits.timeout or the deadline of a view",
        "RV402": "check connection, and whether the source runs",
        "RV403": "compare its catalog file with the source",
        "RV404": "check the secret that its catalog file refers to",
        "RV405": "ask for less, or raise its limits.rows or limits.bytes",
        "RV406": "try again later",
        "RV407": "give Roundview an account that can only read",
    }
)


class SourceError(RoundviewError):
    """A source failed; `source` names it. Without a `hint` it has that of its code."""

    default_code = "RV400"

    def __init__(
        self,
        source: str,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        retryable: bool = True,
    ) -> None:
        hint = hint or _SOURCE_HINTS.get(code or self.default_code, "")
        super().__init__(
            message, code=code, hint=hint, retryable=retryable, extensions={"source": source}
        )
        self.source = source


class EngineError(RoundviewError):
    """What finishes the question failed."""

    default_code = "RV500"


class IdentityError(RoundviewError):
    """The identifier leads to no single customer."""

    default_code = "RV600"


class InternalError(RoundviewError):
    """Our fault."""

    default_code = "RV900"
