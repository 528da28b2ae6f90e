"""Decides what a source file means that is written over templates: merged by key, placed exactly.

`use: vendor/ospos` names a template that ships with Roundview, `use: ./till.template.yaml` one
that lies beside the source's file. A template may be built on one other template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from roundview_catalog.document import Document
from roundview_catalog.errors import Position
from roundview_catalog.report import Report, did_you_mean

SUFFIX: Final = ".template.yaml"

_VENDOR: Final = "vendor/"
_OWN: Final = re.compile(r"\./([A-Za-z0-9_][A-Za-z0-9_.-]*\.template\.yaml)")
_MOST_LAYERS: Final = 3
_HINT: Final = "vendor/NAME or ./NAME.template.yaml"

ReadFile = Callable[[str], Document | None]
"""Returns a file of the catalog by name, None where it is absent or no YAML."""


class Layered(Document):
    """A file over the templates it is built on; every place is in the file that says it."""

    def __init__(self, layers: Sequence[Document]) -> None:
        self.file = layers[0].file
        self.data = merged([layer.data for layer in layers])
        self._layers = layers

    def position(self, path: Sequence[str | int] = (), offset: int = 0) -> Position:
        """Returns where the value at `path` stands: above all others, in the source's own file."""
        return self._saying(path).position(path, offset)

    def key_position(self, path: Sequence[str | int]) -> Position:
        """Returns where the last key of `path` stands."""
        return self._saying(path).key_position(path)

    def _saying(self, path: Sequence[str | int]) -> Document:
        # The first of the deepest: where a layer has all of the path, its value is the one used.
        return max(self._layers, key=lambda layer: layer.depth(path))


def merged(layers: Sequence[Any]) -> Any:
    """Returns what layers say together, the first one above: maps are merged key by key.

    A null removes what lies below it; every other value, lists too, takes its place.

    >>> merged([{"a": None, "b": {"c": 1}}, {"a": 2, "b": {"d": 3}}])
    {'b': {'d': 3, 'c': 1}}
    """
    found = layers[-1]
    for layer in reversed(layers[:-1]):
        found = _over(layer, found)
    return found


def layered(
    document: Document, read: ReadFile, known: Sequence[str], report: Report
) -> Document | None:
    """Returns a source's file over the templates that it uses, itself if it uses none.

    `read` gives files by their names in the catalog (`sources/till.template.yaml`) and shipped
    templates by theirs (`vendor/ospos.yaml`); `known` are the names that `use` may have. None
    where a template is missing or wrong: what follows from that is not worth telling.
    """
    layers = [document]
    while isinstance(layers[-1].data, dict) and "use" in layers[-1].data:
        below = _below(layers, read, known, report)
        if below is None:
            return None
        layers.append(below)
    return Layered(layers) if len(layers) > 1 else document


def own_names(files: Sequence[str]) -> list[str]:
    """Returns what `use` calls the templates among files of a catalog."""
    found = [name.removeprefix("sources/") for name in files if is_template(name)]
    return [f"./{name}" for name in found if _OWN.fullmatch(f"./{name}")]


def shipped_names() -> list[str]:
    """Returns what `use` calls the templates that ship with Roundview."""
    return [f"{_VENDOR}{path.stem}" for path in sorted(_folder().glob("*.yaml"))]


def shipped(file: str) -> Path | None:
    """Returns where a shipped template lies, None if the file is none.

    >>> shipped("vendor/ospos.yaml").name
    'ospos.yaml'
    """
    name = file.removeprefix(_VENDOR).removesuffix(".yaml")
    is_known = file.startswith(_VENDOR) and f"{_VENDOR}{name}" in shipped_names()
    return _folder() / f"{name}.yaml" if is_known else None


def is_template(file: str) -> bool:
    """Tells whether a file of a catalog is a template of its own."""
    return file.startswith("sources/") and file.endswith(SUFFIX)


def _below(
    layers: Sequence[Document], read: ReadFile, known: Sequence[str], report: Report
) -> Document | None:
    """Returns the template that the lowest layer uses."""
    lowest = layers[-1]
    at = lowest.position(("use",))
    named = lowest.data["use"]
    file = _file(named)
    if not file:
        report.add(at, "RV206", "not the name of a template", _HINT)
    elif file in [layer.file for layer in layers]:
        report.add(at, "RV206", "templates are built on each other", "take one `use` out")
    elif len(layers) == _MOST_LAYERS:
        hint = "join two of the templates"
        report.add(at, "RV206", "a template may be built on one other, and that on none", hint)
    elif named not in known:
        hint = did_you_mean(named, known) or _HINT
        report.add(at, "RV228", f"there is no template {named}", hint)
    else:
        below = read(file)
        return below if below is not None and _is_template(below, report) else None
    return None


def _over(above: Any, below: Any) -> Any:
    if not isinstance(above, dict) or not isinstance(below, dict):
        return above
    found = dict(below)
    for key, value in above.items():
        if key not in found:
            found[key] = value
        elif value is None:
            del found[key]
        else:
            found[key] = _over(value, found[key])
    return found


def _file(named: Any) -> str:
    """Returns the name of the file that a `use` names, an empty text if it names none."""
    if not isinstance(named, str):
        return ""
    own = _OWN.fullmatch(named)
    if own:
        return f"sources/{own[1]}"
    is_plain = re.fullmatch(r"vendor/[a-z][a-z0-9_]*", named)
    return f"{named}.yaml" if is_plain else ""


def _is_template(document: Document, report: Report) -> bool:
    if not isinstance(document.data, dict):
        report.add(document.position(), "RV206", "a map of names is needed here")
        return False
    if "source" in document.data:
        at = document.key_position(("source",))
        report.add(at, "RV205", "a template is no source", "the file that uses it has the name")
        return False
    return True


def _folder() -> Path:
    return Path(__file__).parent / "vendor"
