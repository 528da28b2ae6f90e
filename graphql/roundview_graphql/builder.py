"""Decides how answers are built: generated Python that turns a Result into plain data.

The text holds dict displays and list comprehensions in the shape of the answer, so no field
is resolved one by one. Values keep their Python type; decimals and 64-bit integers become
strings, instants are left to the JSON writer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roundview_catalog.types import Kind
from roundview_federation.plan import ROW_HEAD
from roundview_federation.result import Result, Rows
from roundview_graphql.outline import Path
from roundview_graphql.question import Asked
from roundview_graphql.scalars import as_text
from roundview_graphql.schema import DoorSchema
from roundview_graphql.selection import Selected, Selection
from roundview_graphql.vocabulary import Column

Build = Callable[[Result], dict[str, Any]]

_HEAD = len(ROW_HEAD)
_ORIGIN = {
    "source": "r[0].source",
    "source_system": "r[0].source_system",
    "source_instance": "r[0].source_instance",
    "source_key": "r[1]",
    "slot": "r[2]",
    "as_of": "r[0].as_of",
    "fetched_at": "r[0].fetched_at",
    "customer_id": "who.customer_id",
    "link_state": "who.link_state",
}
_RECORD = {
    "source": "r[0].source",
    "sourceKey": "r[1]",
    "fetchedAt": "r[0].fetched_at",
    "asOf": "r[0].as_of",
}
_SURVIVED = {
    "source": "s.source",
    "sourceKey": "s.source_key",
    "rule": "s.rule",
    "asOf": "s.as_of",
}
_LOSING = {"value": "as_text(x.value)", "source": "x.source"}
_PAGE = {
    "complete": "not missing and not rows.is_truncated",
    "missingSources": "list(missing)",
}
_PAGE_INFO = {"hasNextPage": "rows.has_next", "endCursor": "rows.end_cursor"}


def make_builder(asked: Asked, door: DoorSchema) -> Build:
    """Returns the function that builds the `data` of every answer to this question."""
    namespace: dict[str, Any] = {"as_text": as_text, "NO_ROWS": Rows([])}
    text = _Writer(asked, door, namespace).text()
    # The text is made of response keys (GraphQL names, quoted by repr) and our own names.
    exec(compile(text, "<graphql builder>", "exec"), namespace)  # noqa: S102
    build: Build = namespace["build"]
    return build


class _Writer:
    def __init__(self, asked: Asked, door: DoorSchema, namespace: dict[str, Any]) -> None:
        self._asked = asked
        self._door = door
        self._namespace = namespace
        self._lists = {listed.path: at for at, listed in enumerate(asked.outline.lists)}
        self._origins = {one.path: at for at, one in enumerate(asked.outline.origins)}

    def text(self) -> str:
        lines = ["def build(result):", "    outputs = result.outputs"]
        for at, listed in enumerate(self._asked.outline.lists):
            lines += [
                f"    o = outputs[{listed.name!r}]",
                f"    failed_{at} = o.failed is not None",
                f"    groups_{at} = o.groups",
                f"    missing_{at} = o.missing",
            ]
        # Children first: a page function names the functions of the lists below it.
        for at in reversed(range(len(self._asked.outline.lists))):
            lines += self._page(at)
        for at in range(len(self._asked.outline.roots)):
            lines += self._customer(at)
        roots = {root.selected.key: at for at, root in enumerate(self._asked.outline.roots)}
        parts = []
        for key, selected in self._asked.outline.selection.fields.items():
            if key in roots:
                at = roots[key]
                is_list = self._asked.outline.roots[at].is_list
                value = (
                    f"[customer_{at}(i) for i in range(len(found_{at}))]"
                    if is_list
                    else f"customer_{at}(0)"
                )
                parts.append(f"{key!r}: {value}")
            elif selected.name == "__typename":
                parts.append(f"{key!r}: 'Query'")
        lines.append(f"    return {{{', '.join(parts)}}}")
        return "\n".join(lines) + "\n"

    def _customer(self, at: int) -> list[str]:
        root = self._asked.outline.roots[at]
        section = self._asked.customers[at]
        lines = [f"    found_{at} = result.found[{root.name!r}]"]
        columns = self._asked.columns.get(section, {})
        if section:
            nothing = f"({'None, ' * (_HEAD + len(columns))})"
            lines += [
                f"    o = outputs[{section!r}]",
                f"    lost_{at} = o.failed is not None",
                f"    survived_{at} = {{}} if lost_{at} else o.groups",
                f"    origins_{at} = o.provenance",
            ]
        lines += [
            f"    def customer_{at}(i):",
            f"        who = found_{at}[i]",
            "        if who.customer_id is None:",
            "            return None",
        ]
        if section:
            lines += [
                f"        rows = survived_{at}.get(i)",
                f"        r = rows.rows[0] if rows is not None and rows.rows else {nothing}",
            ]
        parts = []
        for key, selected in root.selection.fields.items():
            parts.append(f"{key!r}: {self._customer_field(at, selected, columns, root.path)}")
        lines.append(f"        return {{{', '.join(parts)}}}")
        return lines

    def _customer_field(
        self, at: int, selected: Selected, columns: dict[str, int], path: Path
    ) -> str:
        if selected.name == "__typename":
            return "'Customer'"
        here = (*path, selected.key)
        if here in self._lists:
            number = self._lists[here]
            return f"None if failed_{number} else page_{number}(i, who)"
        if here in self._origins:
            return self._provenance(at, self._origins[here], selected.below)
        known = self._door.words.customer[selected.name]
        if known.column == "customer_id":
            return "who.customer_id"
        if known.column == "link_state":
            return self._value(known, "who.link_state")
        return self._value(known, f"r[{_HEAD + columns[known.column]}]")

    def _provenance(self, at: int, number: int, below: Selection | None) -> str:
        fields = self._asked.choices.origins[number]
        if not fields:
            return "[]"
        words = {c.column: name for name, c in self._door.words.customer.items()}
        self._namespace[f"names_{at}"] = words
        parts = []
        for key, selected in (below.fields if below else {}).items():
            if selected.name == "field":
                value = f"names_{at}[s.field]"
            elif selected.name == "losing":
                value = f"[{self._plain(selected.below, _LOSING)} for x in s.losing]"
            elif selected.name == "__typename":
                value = "'FieldProvenance'"
            else:
                value = _SURVIVED[selected.name]
            parts.append(f"{key!r}: {value}")
        listed = f"[{{{', '.join(parts)}}} for n in {fields!r} if (s := p.get(n)) is not None]"
        # A default argument keeps the customer's own dict out of the comprehension's scope.
        return f"None if lost_{at} else (lambda p: {listed})(origins_{at}.get(i, {{}}))"

    def _page(self, at: int) -> list[str]:
        listed = self._asked.outline.lists[at]
        columns = self._asked.columns[listed.name]
        missing = (
            f"missing_{at}" if listed.parent < 0 else f"(key[0],) if key[0] in missing_{at} else ()"
        )
        parts = []
        for key, selected in (listed.selected.below or Selection("")).fields.items():
            if selected.name == "nodes":
                row = self._row(at, selected, columns, (*listed.path, key, "*"))
                value = f"[{row} for r in rows.rows]"
            elif selected.name == "pageInfo":
                value = self._plain(selected.below, _PAGE_INFO)
            elif selected.name == "__typename":
                value = repr(f"{listed.words.name}Page")
            else:
                value = _PAGE[selected.name]
            parts.append(f"{key!r}: {value}")
        return [
            f"    def page_{at}(key, who):",
            f"        rows = groups_{at}.get(key, NO_ROWS)",
            f"        missing = {missing}",
            f"        return {{{', '.join(parts)}}}",
        ]

    def _row(self, at: int, nodes: Selected, columns: dict[str, int], path: Path) -> str:
        words = self._asked.outline.lists[at].words
        parts = []
        for key, selected in (nodes.below or Selection("")).fields.items():
            here = (*path, key)
            if here in self._lists:
                number = self._lists[here]
                value = f"None if failed_{number} else page_{number}((r[0].source, r[1]), who)"
            elif selected.name == "__typename":
                value = repr(words.name)
            elif selected.name == "provenance":
                value = self._plain(selected.below, _RECORD)
            else:
                column = words.columns[selected.name]
                if column.column in _ORIGIN:
                    value = self._value(column, _ORIGIN[column.column])
                else:
                    value = self._value(column, f"r[{_HEAD + columns[column.column]}]")
            parts.append(f"{key!r}: {value}")
        return f"{{{', '.join(parts)}}}"

    def _plain(self, below: Selection | None, values: dict[str, str]) -> str:
        fields = below.fields if below else {}
        parts = [
            f"{key!r}: {repr(below.type) if s.name == '__typename' and below else values[s.name]}"
            for key, s in fields.items()
        ]
        return f"{{{', '.join(parts)}}}"

    def _value(self, column: Column, text: str) -> str:
        if column.type.kind in (Kind.DECIMAL, Kind.BIGINT):
            return f"None if (v := {text}) is None else str(v)"
        if column.enum:
            names = self._door.words.enums[column.enum]
            renamed = {value: name for name, value in names.items() if name != value}
            if renamed:
                self._namespace[f"enum_{column.enum}"] = renamed
                return f"enum_{column.enum}.get(v := {text}, v)"
        return text
