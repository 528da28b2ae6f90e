"""Decides how the failures of an API are named, without a word of what it said."""

from __future__ import annotations

from roundview_catalog.errors import SourceError
from roundview_federation.connectors.http_port import Failure, HttpError


def failed(
    source: str, what: str, code: str, hint: str = "", *, retryable: bool = True
) -> SourceError:
    """Returns the error that says what a source did."""
    return SourceError(source, f"{source} {what}", code=code, hint=hint, retryable=retryable)


def broken(source: str, error: HttpError) -> SourceError:
    """Returns what it means that a call brought no answer."""
    if error.failure is Failure.TOO_LARGE:
        return failed(source, "sent more than limits.bytes", "RV405", "ask for fewer fields")
    if error.failure is Failure.GARBAGE:
        return failed(source, "answered with something that is not HTTP", "RV403")
    if error.failure is Failure.FORBIDDEN_ADDRESS:
        return failed(
            source,
            "is at an address that is not allowed",
            "RV402",
            "private: true under connection allows loopback and private addresses",
            retryable=False,
        )
    if error.failure is Failure.CUT:
        return failed(source, "broke off", "RV402")
    return failed(source, "cannot be reached", "RV402")


def refused(source: str, status: int) -> SourceError:
    """Returns what a status means that is no answer."""
    if status == 429:
        return failed(source, "is busy: it asks to come back later", "RV406")
    if status in (401, 403):
        what = f"refuses us (status {status})"
        return failed(source, what, "RV404", "check connection.auth", retryable=False)
    if 300 <= status < 400:
        what = "sends us elsewhere, which is not followed"
        return failed(source, what, "RV403", "check base_url")
    if status >= 500:
        return failed(source, f"failed (status {status})", "RV400")
    what = f"does not know this call (status {status})"
    return failed(source, what, "RV403", "check get and filters")
