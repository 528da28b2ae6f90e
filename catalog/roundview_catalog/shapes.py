"""Checks parts of a file against their declared shape and words every mistake with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from roundview_catalog.document import Document
from roundview_catalog.report import Report, did_you_mean

Path = tuple[str | int, ...]
Detail = Mapping[str, Any]
Shaped = TypeVar("Shaped", bound=BaseModel)

_NEEDED = {
    "string_type": ("text is needed here", "write it in quotes"),
    "int_type": ("a whole number is needed here", ""),
    "bool_type": ("true or false is needed here", ""),
    "float_type": ("a number is needed here", ""),
    "tuple_type": ("a list is needed here", "[a, b]"),
    "mapping_type": ("a map of names is needed here", ""),
    "dict_type": ("a map of names is needed here", ""),
    "model_type": ("a map of names is needed here", ""),
    "model_attributes_type": ("a map of names is needed here", ""),
    "none_required": ("nothing is needed here", ""),
    "too_short": ("it must not be empty", ""),
    "string_too_short": ("it must not be empty", ""),
}


def shaped(
    model: type[Shaped], data: Any, document: Document, path: Path, report: Report
) -> Shaped | None:
    """Returns `data` (what stands at `path`) as a model; None if the report tells why not.

    Messages name keys and what is allowed, never the value that was found.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        by_place: dict[tuple[Path, str], list[Detail]] = {}
        for detail in error.errors(include_url=False, include_input=False):
            missing = str(detail["loc"][-1]) if detail["type"] == "missing" else ""
            by_place.setdefault((_within(data, detail["loc"]), missing), []).append(detail)
        for (loc, _), details in by_place.items():
            _tell(model, data, loc, details, document, path, report)
        return None


def is_map(data: Any, document: Document, path: Path, report: Report) -> bool:
    """Tells whether a value is a map; if not, the report says that it should be."""
    if isinstance(data, dict):
        return True
    report.add(document.position(path), "RV206", "a map of names is needed here")
    return False


def _tell(
    model: type[BaseModel],
    data: Any,
    loc: Path,
    details: Sequence[Detail],
    document: Document,
    path: Path,
    report: Report,
) -> None:
    first = details[0]
    kind = first["type"]
    if kind == "extra_forbidden":
        key = str(loc[-1])
        known = _keys(model, loc[:-1])
        hint = did_you_mean(key, known) or f"known here: {', '.join(known)}"
        report.add(document.key_position((*path, *loc)), "RV205", f"unknown key {key}", hint)
        return
    if kind == "missing":
        whole = (*path, *loc)
        place = document.key_position(whole) if whole else document.position()
        report.add(place, "RV220", f"`{first['loc'][-1]}` is missing")
        return
    messages = dict.fromkeys(_message(detail) for detail in details)
    texts = dict.fromkeys(message for message, _ in messages)
    hints = dict.fromkeys(hint for _, hint in messages if hint)
    text = " or: ".join(texts) if len(texts) <= 3 else next(iter(texts))
    hint = next(iter(hints)) if len(hints) == 1 else ""
    options = [o for d in details if d["type"] == "literal_error" for o in _options(d)]
    report.add(
        document.position((*path, *loc)),
        "RV206",
        text,
        did_you_mean(str(_at(data, loc)), options) or hint,
    )


def _options(detail: Detail) -> list[str]:
    expected = str((detail.get("ctx") or {}).get("expected", ""))
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


def _at(data: Any, loc: Path) -> Any:
    for part in loc:
        data = data[part]
    return data


def _message(detail: Detail) -> tuple[str, str]:
    kind = detail["type"]
    context = detail.get("ctx") or {}
    if kind in _NEEDED:
        return _NEEDED[kind]
    if kind == "literal_error":
        return f"not one of {', '.join(_options(detail))}", ""
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", "the value does not fit")), ""
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return f"it must be {'at least' if 'ge' in context else 'at most'} {bound}", ""
    return "the value does not fit", ""


def _within(data: Any, loc: Iterable[int | str]) -> Path:
    """Drops the parts of an error's place that name alternatives of a union, not keys."""
    found: list[int | str] = []
    for part in loc:
        if isinstance(data, dict) and str(part) in data:
            found.append(str(part))
            data = data[str(part)]
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            found.append(part)
            data = data[part]
    return tuple(found)


def _keys(model: Any, loc: Path) -> tuple[str, ...]:
    """Returns the keys that a model knows at a place."""
    here = [*_models(model)]
    for part in (part for part in loc if isinstance(part, str)):
        inside: list[Any] = []
        for one in here:
            if isinstance(one, type) and issubclass(one, BaseModel):
                for name, field in one.model_fields.items():
                    if part in (name, field.alias):
                        inside += _models(field.annotation)
            else:
                inside += _models(get_args(one)[-1])
        here = inside or here
    known: dict[str, None] = {}
    for one in here:
        if isinstance(one, type) and issubclass(one, BaseModel):
            known |= {field.alias or name: None for name, field in one.model_fields.items()}
    return tuple(known)


def _models(annotation: Any) -> Iterable[Any]:
    """Yields the models and maps that an annotation may stand for."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        yield from _models(arguments[0])
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield annotation
    else:
        for argument in arguments:
            yield from _models(argument)
