"""Decides how a catalog file's text becomes plain values that remember where they stood.

YAML 1.2 core types without anchors, aliases, tags and merge keys; a key twice is an error.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from roundview_catalog import scalars
from roundview_catalog.errors import Position
from roundview_catalog.report import Report, TooManyProblems

LARGEST = 1024 * 1024
DEEPEST = 32
MOST_PARTS = 60_000

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_FORBIDDEN_VALUE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TIGHT_COMMENT = re.compile(r" +#(?! )")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}

Path = Sequence[str | int]


@dataclass(slots=True)
class _Node:
    start: int
    end: int
    style: str | None = None  # map | seq | one of ' " | > | None for plain
    value: Any = None
    is_flow: bool = False
    pending: str | None = None
    keys: dict[str, int] = field(default_factory=dict)
    children: dict[str | int, _Node] = field(default_factory=dict)


class Document:
    """One file: `data` is plain; positions are asked by path."""

    def __init__(self, file: str, text: str, root: _Node) -> None:
        self.file = file
        self.data: Any = _plain(root)
        self._text = text
        self._root = root
        self._lines = _line_starts(text)

    @property
    def text(self) -> str:
        """Returns the file as it was read."""
        return self._text

    def position(self, path: Path = (), offset: int = 0) -> Position:
        """Returns where the value at `path` stands; the nearest parent's place if it is absent.

        `offset` counts characters of a text value; it is mapped back through quotes, folding
        and block scalars.

        >>> document.position(("entities", "individual", "where"), 4)
        """
        node, found = self._node(path)
        if not found or node.style in ("map", "seq") or not isinstance(node.value, str):
            return self._at(node.start)
        indexes = scalars.places(self._text, node.start, node.end, node.style, node.value)
        if offset < len(indexes):
            return self._at(indexes[max(0, offset)])
        return self._at(indexes[-1] + 1 if indexes else node.start)

    def key_position(self, path: Path) -> Position:
        """Returns where the last key of `path` stands."""
        if not path:
            return self._at(self._root.start)
        parent, found = self._node(path[:-1])
        place = parent.keys.get(str(path[-1])) if found else None
        return self._at(place) if place is not None else self.position(path)

    def depth(self, path: Path) -> int:
        """Returns how many parts of a path the file has."""
        node = self._root
        for at, part in enumerate(path):
            child = node.children.get(part)
            if child is None:
                return at
            node = child
        return len(path)

    def _node(self, path: Path) -> tuple[_Node, bool]:
        node = self._root
        for part in path:
            child = node.children.get(part)
            if child is None:
                return node, False
            node = child
        return node, True

    def _at(self, index: int) -> Position:
        return _place(self.file, self._lines, index)


def read(text: str, file: str, report: Report) -> Document | None:
    """Reads a file's text; None if anything about its YAML is wrong (see the report)."""
    text = text.replace("\r\n", "\n")
    reader = _Reader(text, file, report)
    if len(text) > LARGEST or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        reader.refuse(0, "RV204", "the file has more than 1 MiB", "split it")
        return None
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        is_tab = forbidden.group() == "\t"
        reader.refuse(
            forbidden.start(),
            "RV201",
            "a tab" if is_tab else "a control character",
            "indent with blanks; in double quotes write \\t" if is_tab else "remove it",
        )
        return None
    before = len(report.problems)
    root = None
    with suppress(TooManyProblems):
        root = reader.root()
    if len(report.problems) > before:
        return None
    if root is None:
        reader.refuse(0, "RV201", "the file is empty")
        return None
    return Document(file, text, root)


class _Reader:
    """Turns parser events into nodes, so that nothing is composed that could expand."""

    def __init__(self, text: str, file: str, report: Report) -> None:
        self.text = text
        self.file = file
        self.report = report
        self.lines = _line_starts(text)
        self.stack: list[_Node] = []
        self.top: _Node | None = None

    def refuse(self, index: int, code: str, message: str, hint: str = "") -> None:
        self.report.add(_place(self.file, self.lines, index), code, message, hint)

    def root(self) -> _Node | None:
        documents = 0
        try:
            for at, event in enumerate(YAML(typ="safe", pure=True).parse(self.text)):
                if at > MOST_PARTS:
                    place = event.start_mark.index
                    self.refuse(place, "RV204", f"more than {MOST_PARTS} values", "split it")
                    return None
                if isinstance(event, DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        at = event.start_mark.index
                        self.refuse(at, "RV201", "more than one document", "one file, one document")
                        return None
                    if event.version or event.tags:
                        self.refuse(0, "RV201", "a directive", "leave lines beginning with % out")
                        return None
                elif isinstance(event, DocumentEndEvent):
                    continue
                elif not self._take(event):
                    return None
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            hint = "put SQL after >- on the next line" if mark is not None else ""
            self.refuse(mark.index if mark else 0, "RV201", f"not YAML: {_reason(error)}", hint)
        except (YAMLError, RecursionError, ValueError, IndexError):
            self.refuse(0, "RV201", "not YAML")
        return self.top

    def _take(self, event: Any) -> bool:
        """Takes one event; False if reading has no sense any more."""
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.stack.pop().end = event.end_mark.index
            return True
        if isinstance(event, AliasEvent):
            self.refuse(event.start_mark.index, "RV203", "an alias", "write the value out")
            self._attach(_Node(event.start_mark.index, event.end_mark.index))
            return True
        if not isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            return True
        start, end = event.start_mark.index, event.end_mark.index
        if event.anchor:
            self.refuse(start, "RV203", "an anchor", "write the value out where it is used")
        if event.tag:
            self.refuse(start, "RV203", "a tag", "leave it out")
        if isinstance(event, ScalarEvent):
            self._scalar(event, start, end)
            return True
        style = "map" if isinstance(event, MappingStartEvent) else "seq"
        node = _Node(start, end, style, is_flow=bool(event.flow_style))
        self._attach(node)
        self.stack.append(node)
        if len(self.stack) > DEEPEST:
            self.refuse(start, "RV204", f"nested deeper than {DEEPEST}")
            return False
        return True

    def _scalar(self, event: Any, start: int, end: int) -> None:
        style = event.style if event.style in ("'", '"', "|", ">") else None
        text: str = event.value
        if _FORBIDDEN_VALUE.search(text):
            self.refuse(start, "RV201", "a control character", "remove the escape")
        parent = self.stack[-1] if self.stack else None
        if parent is not None and parent.style == "map" and parent.pending is None:
            if text == "<<" and style is None:
                self.refuse(start, "RV203", "a merge key", "write the keys out")
            elif text in parent.keys:
                self.refuse(start, "RV202", f"the key {_shown(text)} stands twice", "join the two")
            parent.keys[text] = start
            parent.pending = text
            return
        if style is None and parent is not None and parent.is_flow and not text:
            self._keyless(parent, start)
        if style is None and text:
            tight = _TIGHT_COMMENT.match(self.text, end)
            if tight:
                self.refuse(
                    tight.end() - 1,
                    "RV208",
                    "a comment begins here and cuts the value",
                    "write `# ` for a comment; use -> and ->> or put SQL after >- on the next line",
                )
        self._attach(_Node(start, end, style, _resolve(text) if style is None else text))

    def _keyless(self, parent: _Node, start: int) -> None:
        """Reports what `{a: coalesce(x, y)}` turns into: a key `y)` without a value."""
        if parent.style == "map" and parent.pending is not None:
            start = parent.keys[parent.pending]
        self.refuse(
            start,
            "RV207",
            "a comma ends a value inside { }",
            "write the map on several lines or quote the value",
        )

    def _attach(self, node: _Node) -> None:
        if not self.stack:
            self.top = node
            return
        parent = self.stack[-1]
        if parent.style == "seq":
            parent.children[len(parent.children)] = node
        elif parent.pending is None:
            self.refuse(node.start, "RV201", "a key must be plain text")
            parent.pending = ""
        else:
            parent.children[parent.pending] = node
            parent.pending = None


def _resolve(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


def _plain(node: _Node) -> Any:
    if node.style == "map":
        return {key: _plain(child) for key, child in node.children.items()}
    if node.style == "seq":
        return [_plain(child) for child in node.children.values()]
    return node.value


def _reason(error: MarkedYAMLError) -> str:
    """Returns the parser's reason in one line that quotes nothing of the file."""
    reason = (error.problem or "cannot be read").split("\n")[0]
    return re.sub(r"'[^']*'", "…", reason)[:100]


def _shown(key: str) -> str:
    return key if len(key) <= 40 and key.isprintable() else "here"


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _place(file: str, lines: list[int], index: int) -> Position:
    line = bisect_right(lines, index) - 1
    return Position(file, line + 1, index - lines[line] + 1)
