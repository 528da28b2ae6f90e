"""Decides which columns a name can mean at one place of a question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from roundview_federation.dialect.refusal import (
    AMBIGUOUS,
    COLUMN,
    RELATION,
    SYNTAX,
    refuse,
    unsupported,
)

# What a question may write before a relation.
SCHEMA = "c360"


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a query: what PostgreSQL calls it, and its alias, unique in the query."""

    name: str
    alias: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One column that a bare name or a star finds; several parts are those of a full join."""

    name: str
    parts: tuple[tuple[str, str], ...]

    def node(self) -> exp.Expr:
        """Returns a new tree for it."""
        columns = [column(alias, name) for alias, name in self.parts]
        if len(columns) == 1:
            return columns[0]
        return exp.Coalesce(this=columns[0], expressions=columns[1:])


@dataclass(frozen=True, slots=True)
class Source:
    """One item of FROM: what the question calls it, its alias, unique in the statement."""

    name: str
    alias: str
    outputs: tuple[Output, ...]

    def entries(self) -> list[Entry]:
        """Returns its columns in order."""
        return [Entry(output.name, ((self.alias, output.alias),)) for output in self.outputs]


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT; `entries` are what a star gives."""

    parent: Scope | None
    sources: dict[str, Source] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def chain(self) -> Iterator[Scope]:
        """Yields this scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def has_alias(self, alias: str) -> bool:
        """Tells whether a source of this very SELECT has the alias."""
        return any(source.alias == alias for source in self.sources.values())

    def bind(self, node: exp.Column) -> exp.Expr:
        """Returns the tree that a written column means; `node` itself where that suffices."""
        name = folded(node.this)
        table, db = node.args.get("table"), node.args.get("db")
        if table is None:
            return self._bare(node, name)
        if db is not None and folded(db) != SCHEMA:
            raise refuse(RELATION, "there is no such schema here", db)
        wanted = folded(table)
        for scope in self.chain():
            source = scope.sources.get(wanted)
            if source is None:
                continue
            found = [output for output in source.outputs if output.name == name]
            if not found:
                break
            if len(found) > 1:
                raise refuse(AMBIGUOUS, f"the name {name} can mean several columns", node.this)
            return point(node, source.alias, found[0].alias)
        else:
            raise refuse(RELATION, f"there is no relation {wanted} here", node)
        raise refuse(COLUMN, f"{wanted} has no column {name}", node.this)

    def local(self, name: str) -> list[Entry]:
        """Returns what a bare name can mean in this very SELECT."""
        return [entry for entry in self.entries if entry.name == name]

    def _bare(self, node: exp.Column, name: str) -> exp.Expr:
        for scope in self.chain():
            found = scope.local(name)
            if len(found) > 1:
                raise refuse(
                    AMBIGUOUS, f"the name {name} can mean several columns", node,
                    hint="write the relation before it",
                )  # fmt: skip
            if found:
                if len(found[0].parts) == 1:
                    return point(node, *found[0].parts[0])
                return found[0].node()
        if any(name in scope.sources for scope in self.chain()):
            raise unsupported("a whole row as a value", node)
        raise refuse(COLUMN, f"there is no column {name}", node)


def renamed(
    outputs: tuple[Output, ...], columns: Iterable[exp.Expr] | None, node: exp.Expr
) -> tuple[Output, ...]:
    """Returns outputs under the names of an alias's list of columns."""
    names = [folded(part) for part in columns or ()]
    if len(names) > len(outputs):
        raise refuse(SYNTAX, "the alias names more columns than there are", node, sqlstate="42P10")
    return (
        *(Output(name, output.alias) for name, output in zip(names, outputs, strict=False)),
        *outputs[len(names) :],
    )


def folded(identifier: exp.Expr) -> str:
    """Returns a name as PostgreSQL reads it: lower case unless quoted, letters of ASCII only."""
    name = identifier.args.get("this")
    if not isinstance(identifier, exp.Identifier) or not isinstance(name, str):
        raise refuse(SYNTAX, "a name must stand here", identifier)
    if identifier.args.get("quoted"):
        return name
    if name.islower() and name.isascii():
        return name
    return "".join(sign.lower() if "A" <= sign <= "Z" else sign for sign in name)


def identifier(name: str) -> exp.Identifier:
    """Returns a quoted identifier."""
    return exp.Identifier(this=name, quoted=True)


def column(alias: str, name: str) -> exp.Column:
    """Returns the tree of a qualified column."""
    return exp.Column(this=identifier(name), table=identifier(alias))


def point(node: exp.Column, alias: str, name: str) -> exp.Column:
    """Makes a written column mean one column of one alias; its place in the text stays."""
    own = node.args["this"]
    own.args["this"], own.args["quoted"] = name, True
    node.args.pop("db", None)
    node.set("table", identifier(alias))
    return node
