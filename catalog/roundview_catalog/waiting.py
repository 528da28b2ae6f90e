"""Decides which constructs of the language are known by name but not built yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roundview_catalog.document import Document
from roundview_catalog.report import Report

Path = tuple[str | int, ...]

LATER_CONNECTORS = ("mariadb", "trino", "duckdb", "mongodb")
_LATER_SOURCE_KEYS = ("use", "views", "mirrors")
_LATER_CATALOG_KEYS = ("engines",)


def without_waiting(document: Document, report: Report) -> dict[str, Any]:
    """Returns a source file's data without what has to wait; each is one problem RV209."""
    dropped = dict(_waiting(document.data))
    for path, name in dropped.items():
        report.add(document.key_position(path), "RV209", f"{name} is not supported yet")
    return {
        key: _pruned(value, (key,), frozenset(dropped))
        for key, value in document.data.items()
        if (key,) not in dropped
    }


def without_engines(document: Document, report: Report) -> dict[str, Any]:
    """Returns the data of roundview.yaml without what has to wait."""
    for key in _LATER_CATALOG_KEYS:
        if key in document.data:
            report.add(document.key_position((key,)), "RV209", f"{key} is not supported yet")
    return {key: value for key, value in document.data.items() if key not in _LATER_CATALOG_KEYS}


def _waiting(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for key in _LATER_SOURCE_KEYS:
        if key in data:
            yield (key,), key
    connection = data.get("connection")
    auth = connection.get("auth") if isinstance(connection, dict) else None
    if isinstance(auth, dict) and "oauth2" in auth:
        yield ("connection", "auth"), "oauth2"
    yield from _waiting_page(data.get("table_defaults"), ("table_defaults",))
    tables = data.get("tables")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(table, dict):
            continue
        path: Path = ("tables", name)
        for key in ("hold", "post"):
            if key in table:
                yield (*path, key), key
        yield from _waiting_page(table, path)
        paths = table.get("get")
        for index, one in enumerate(paths) if isinstance(paths, list) else ():
            if isinstance(one, dict) and "post" in one:
                yield (*path, "get", index), "post"
        if isinstance(paths, dict) and "post" in paths:
            yield (*path, "get"), "post"


def _waiting_page(table: Any, path: Path) -> Iterator[tuple[Path, str]]:
    page = table.get("page") if isinstance(table, dict) else None
    if isinstance(page, dict) and page.get("by") == "link":
        yield (*path, "page"), "paging by link"


def _pruned(data: Any, path: Path, dropped: frozenset[Path]) -> Any:
    if isinstance(data, dict):
        return {
            key: _pruned(value, (*path, key), dropped)
            for key, value in data.items()
            if (*path, key) not in dropped
        }
    if isinstance(data, list):
        # A harmless path stands in, so that the places of the others stay what they are.
        return [
            "/" if (*path, index) in dropped else _pruned(value, (*path, index), dropped)
            for index, value in enumerate(data)
        ]
    return data
