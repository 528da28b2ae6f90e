"""Reads one YAML file into plain values that remember where each character stood.

Only YAML 1.2 core types without anchors, aliases and tags; a key twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from roundview_catalog.errors import Position
from roundview_catalog.report import Report

LARGEST = 1024 * 1024
DEEPEST = 32

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
_TIGHT_COMMENT = re.compile(r"[ \t]+#[^ \t\r\n#]")
_WORDS: Final = {"null": None, "~": None, "": None, "true": True, "false": False}

Path = Sequence[str | int]


@dataclass(slots=True)
class _Node:
    start: int
    end: int
    style: str | None = None
    value: Any = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    children: dict[str | int, _Node] = field(default_factory=dict)


class Document:
    """One file: `data` is plain; positions are asked by path."""

    def __init__(self, file: str, text: str, root: _Node) -> None:
        self.file = file
        self.data: Any = _plain(root)
        self._text = text
        self._root = root
        self._lines = _line_starts(text)

    def position(self, path: Path = (), offset: int = 0) -> Position:
        """Returns where the value at `path` stands; the nearest parent's place if it is absent.

        `offset` counts characters of a text value; it is mapped back through quotes, folding
        and block scalars.
        """
        node, found = self._node(path)
        if not found or offset == 0 or not isinstance(node.value, str):
            return self._at(self._content(node) if found else node.start)
        return self._at(self._source_index(node, offset))

    def key_position(self, path: Path) -> Position:
        """Returns where the last key of `path` stands."""
        if not path:
            return self._at(self._root.start)
        parent, _ = self._node(path[:-1])
        place = parent.keys.get(str(path[-1]))
        return self._at(place[0]) if place else self.position(path)

    def _node(self, path: Path) -> tuple[_Node, bool]:
        node = self._root
        for part in path:
            child = node.children.get(part)
            if child is None:
                return node, False
            node = child
        return node, True

    def _content(self, node: _Node) -> int:
        """Returns where a scalar's own characters begin."""
        if isinstance(node.value, str) and node.value and node.style in ("|", ">"):
            return self._source_index(node, 0)
        if node.style in ("'", '"'):
            return node.start + 1
        return node.start

    def _source_index(self, node: _Node, offset: int) -> int:
        """Aligns a text value with its source: folding only ever changes white space."""
        at = node.start
        if node.style in ("|", ">"):
            at = self._text.index("\n", at)
        elif node.style in ("'", '"'):
            at += 1
        for index, character in enumerate(node.value):
            if character.isspace():
                if index == offset:
                    return at
                if index and node.value[index - 1].isspace():
                    continue
                while at < node.end and not self._text[at].isspace():
                    at += 1
                while at < node.end and self._text[at].isspace():
                    at += 1
                continue
            while at < node.end and self._text[at] != character:
                at += 1
            if index >= offset:
                return at
            at += 1
        return min(at, node.end)

    def _at(self, index: int) -> Position:
        low, high = 0, len(self._lines)
        while high - low > 1:
            middle = (low + high) // 2
            if self._lines[middle] <= index:
                low = middle
            else:
                high = middle
        return Position(self.file, low + 1, index - self._lines[low] + 1)


def read(text: str, file: str, report: Report) -> Document | None:
    """Reads a file's text; None if anything about its YAML is wrong (see the report)."""
    start = Position(file, 1, 1)
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        report.add(start, "RV204", f"the file has more than {LARGEST} bytes")
        return None
    lines = _line_starts(text)

    def place(index: int) -> Position:
        line = sum(1 for begin in lines if begin <= index)
        return Position(file, line, index - lines[line - 1] + 1)

    control = _CONTROL.search(text)
    if control:
        report.add(place(control.start()), "RV201", "a control character", "remove it")
        return None
    tab = re.search(r"^ *\t", text, re.MULTILINE)
    if tab:
        report.add(place(tab.end() - 1), "RV201", "a tab", "indent with blanks")
        return None
    if _deepest(text) > DEEPEST:
        report.add(start, "RV204", f"nested deeper than {DEEPEST}")
        return None
    before = len(report.problems)
    try:
        root = _compose(text, file, report, place)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = place(mark.index) if mark is not None else start
        report.add(at, "RV201", f"not YAML: {error.problem or 'cannot be read'}")
        return None
    except (YAMLError, RecursionError, ValueError):
        report.add(start, "RV201", "not YAML")
        return None
    if len(report.problems) > before or root is None:
        if root is None and len(report.problems) == before:
            report.add(start, "RV201", "the file is empty")
        return None
    return Document(file, text, root)


def _compose(  # noqa: C901 - one case per event
    text: str, file: str, report: Report, place: Any
) -> _Node | None:
    root: _Node | None = None
    stack: list[tuple[_Node, bool, list[Any]]] = []  # node, is flow mapping, pending key
    documents = 0

    def attach(node: _Node) -> None:
        nonlocal root
        if not stack:
            root = node
            return
        parent, _, pending = stack[-1]
        if pending is not None and len(pending) == 1:
            key = pending.pop()
            parent.children[key] = node
        elif pending is not None and parent.style == "map":
            report.add(place(node.start), "RV201", "a key must be plain text")
            pending.append("")
        else:
            parent.children[len(parent.children)] = node

    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                report.add(place(event.start_mark.index), "RV201", "more than one document")
                return None
        if isinstance(event, AliasEvent):
            report.add(place(event.start_mark.index), "RV203", "an alias", "write it out")
            attach(_Node(event.start_mark.index, event.end_mark.index))
            continue
        if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            if event.anchor:
                report.add(place(event.start_mark.index), "RV203", "an anchor", "write it out")
            if event.tag and event.tag != "!":
                report.add(place(event.start_mark.index), "RV203", "a tag", "leave it out")
        if isinstance(event, ScalarEvent):
            _scalar(event, text, stack, attach, report, place)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            is_map = isinstance(event, MappingStartEvent)
            node = _Node(event.start_mark.index, event.end_mark.index, "map" if is_map else "seq")
            attach(node)
            stack.append((node, bool(event.flow_style), []))
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            node = stack.pop()[0]
            node.end = event.end_mark.index
    return root


def _scalar(
    event: ScalarEvent, text: str, stack: Any, attach: Any, report: Report, place: Any
) -> None:
    start, end = event.start_mark.index, event.end_mark.index
    style = event.style if event.style in ("'", '"', "|", ">") else None
    if stack and stack[-1][0].style == "map" and not stack[-1][2]:
        node = stack[-1][0]
        key = event.value
        if key == "<<":
            report.add(place(start), "RV203", "a merge key", "write it out")
        if key in node.keys:
            report.add(place(start), "RV202", f"key {key} stands twice")
        node.keys[key] = (start, end)
        stack[-1][2].append(key)
        return
    is_flow_map = stack and stack[-1][1] and stack[-1][0].style == "map"
    if is_flow_map and style is None and event.value == "" and start == end:
        key = stack[-1][2][0]
        report.add(
            place(stack[-1][0].keys[key][0]),
            "RV207",
            "a comma ends a value inside { }",
            "write the map on several lines or quote the value",
        )
    if style is None and event.value:
        tight = _TIGHT_COMMENT.match(text, end)
        if tight:
            report.add(
                place(tight.end() - 2),
                "RV208",
                "a comment begins here and cuts the value",
                "write `# ` for a comment, or put the value after >- on the next line",
            )
    value = _resolve(event.value) if style is None else event.value
    attach(_Node(start, end, style, value))


def _resolve(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= 40 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _plain(node: _Node) -> Any:
    if node.style == "map":
        return {key: _plain(child) for key, child in node.children.items()}
    if node.style == "seq":
        return [_plain(child) for child in node.children.values()]
    return node.value


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _deepest(text: str) -> int:
    """Bounds the nesting without parsing: brackets, and dashes or indents of one line."""
    deepest = depth = 0
    for line in text.splitlines():
        dashes = len(re.match(r"(?:[ ]*-[ ])*", line + " ").group().replace(" ", ""))  # type: ignore[union-attr]
        for character in line:
            if character in "[{":
                depth += 1
            elif character in "]}" and depth:
                depth -= 1
            deepest = max(deepest, depth + dashes)
    return deepest
