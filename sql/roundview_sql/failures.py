"""Decides how a failure is told to a client: SQLSTATE, message, detail, hint, place."""

from __future__ import annotations

from collections.abc import Mapping

from roundview_catalog.errors import CatalogError, RoundviewError

_RETRY = "08001"


class WireError(Exception):
    """A failure of the protocol or of a session's command, by its SQLSTATE.

    `position` is the 1-based character of the statement. A fatal one ends the connection.
    """

    def __init__(
        self,
        sqlstate: str,
        message: str,
        *,
        hint: str = "",
        detail: str = "",
        position: int | None = None,
        is_fatal: bool = False,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.hint = hint
        self.detail = detail
        self.position = position
        self.is_fatal = is_fatal


def unsupported(what: str, hint: str = "", position: int | None = None) -> WireError:
    """Returns the error for what PostgreSQL can do and this server does not."""
    return WireError("0A000", f"{what} is not supported", hint=hint, position=position)


def told(error: BaseException, *, offset: int = 0) -> dict[str, str]:
    """Returns the fields of an error; `offset` is where its statement begins in the query.

    Our code goes along as the detail. What nobody expected is told as an internal error without
    its text.
    """
    if isinstance(error, WireError):
        position = error.position
        severity = "FATAL" if error.is_fatal else "ERROR"
        found = _fields(severity, error.sqlstate, error.message, error.detail, error.hint)
    elif isinstance(error, CatalogError):
        position = None
        found = _fields("ERROR", error.row.sqlstate, "the catalog is wrong", error.code, error.hint)
    elif isinstance(error, RoundviewError):
        given = error.extensions.get("position")
        position = given if isinstance(given, int) else None
        sqlstate = str(error.extensions.get("sqlstate") or error.row.sqlstate)
        found = _fields("ERROR", sqlstate, error.message, _detail(error), error.hint)
    else:
        position = None
        found = _fields("ERROR", "XX000", "internal error", "RV900", "")
    if position is not None:
        found["P"] = str(position + offset)
    return found


def notice(message: str, *, sqlstate: str = "00000", hint: str = "") -> dict[str, str]:
    """Returns the fields of a notice."""
    return _fields("NOTICE", sqlstate, message, "", hint)


def warning(message: str, sqlstate: str) -> dict[str, str]:
    """Returns the fields of a warning."""
    return _fields("WARNING", sqlstate, message, "", "")


def _detail(error: RoundviewError) -> str:
    candidates = error.extensions.get("candidates")
    if isinstance(candidates, list | tuple) and candidates:
        shown = [one for one in candidates if isinstance(one, Mapping)]
        ids = ", ".join(str(one.get("customerId", "")) for one in shown)
        return f"{error.code}: candidates {ids}"
    return error.code


def _fields(severity: str, sqlstate: str, message: str, detail: str, hint: str) -> dict[str, str]:
    return {"S": severity, "V": severity, "C": sqlstate, "M": message, "D": detail, "H": hint}
