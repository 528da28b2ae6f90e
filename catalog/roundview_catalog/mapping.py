"""Compiles the `entities` of a source file into branches: SELECTs in disguise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.document import Document
from roundview_catalog.errors import Position
from roundview_catalog.expressions import ExpressionError
from roundview_catalog.model import (
    MAPPABLE_COMMON,
    Branch,
    Canonical,
    Child,
    Entity,
    FieldMapping,
    ParentKey,
    PersonKey,
    SourceTable,
)
from roundview_catalog.report import Report, did_you_mean
from roundview_catalog.types import Kind, Type

_KEYS = ("from", "where", "key", "person", "parent", "fields", "each", "also", "children")
_WAITING = ("mirrors", "organization", "views", "use", "sealed")
_VALUE_KEYS = ("value", "map", "else", "const", "time_zone")

Path = tuple[str | int, ...]


class _Wrong(Exception):
    """A mapping cannot be compiled further; the problem is in the report."""


@dataclass(frozen=True)
class _Scope:
    """What an expression of one mapping may name."""

    aliases: Mapping[str, str]
    children: Mapping[str, Child]


def compile_branches(
    document: Document,
    source: str,
    tables: Mapping[str, SourceTable],
    connector: str,
    canonical: Canonical,
    report: Report,
) -> tuple[Branch, ...]:
    """Returns every branch of a source file; each mistake becomes a problem of the report."""
    compiler = _Compiler(document, source, tables, connector, canonical, report)
    return tuple(compiler.branches())


class _Compiler:
    def __init__(
        self,
        document: Document,
        source: str,
        tables: Mapping[str, SourceTable],
        connector: str,
        canonical: Canonical,
        report: Report,
    ) -> None:
        self.document = document
        self.source = source
        self.tables = tables
        self.connector = connector
        self.canonical = canonical
        self.report = report

    def branches(self) -> Iterator[Branch]:
        found: list[Branch] = []
        for entity, given in (self.document.data.get("entities") or {}).items():
            path: Path = ("entities", entity)
            if not self._known_entity(entity, path):
                continue
            if not isinstance(given, dict):
                self._add(path, "RV206", f"{entity} needs a mapping")
                continue
            named = {"": given} if "from" in given or "fields" in given else given
            for name, one in named.items():
                at = path if not name else (*path, name)
                try:
                    found += self._mapping(entity, "" if name == "main" else name, one, at)
                except _Wrong:
                    continue
        names = [(branch.entity, branch.name) for branch in found]
        for branch in found:
            if names.count((branch.entity, branch.name)) > 1:
                self.report.add(branch.position, "RV226", f"two mappings named {branch.id}")
            if branch.parent and (branch.parent.entity, branch.parent.branch) not in names:
                self.report.add(
                    branch.position, "RV225", f"{branch.parent.entity} is not mapped in this source"
                )
        yield from found

    # -- one mapping -------------------------------------------------------------------------

    def _mapping(self, entity: str, name: str, given: Any, path: Path) -> list[Branch]:
        if not isinstance(given, dict) or not isinstance(given.get("from"), str):
            self._add(path, "RV220", "a mapping needs `from`", "from: table alias")
            raise _Wrong
        self._keys(given, path)
        scan, scope = self._from(given["from"], (*path, "from"))
        scope = replace(scope, children=self._children(given.get("children"), scope, path))
        if given.get("where") is not None:
            condition = self._expression((*path, "where"), scope, aggregates=False, subqueries=True)
            scan = scan.where(condition, copy=False)
        key = self._key(given, scope, scan, path)
        if not self._is_unique(scan, scope):
            joined = next(iter(scan.args.get("joins") or ()), None)
            table = joined.this.name if joined is not None else "the table"
            self._add(
                (*path, "from"),
                "RV224",
                f"{table} may repeat the key",
                "join it on a unique key or claim one under facts",
            )
        base = Branch(
            source=self.source,
            entity=entity,
            name=name,
            position=self.document.key_position(path),
            scan=scan,
            aliases=scope.aliases,
            key=key,
            key_types=tuple(self._column_type(k, scope) for k in key),
            slots={},
            children=scope.children,
        )
        person = self._person(entity, name, given, base, scope, path)
        parent = self._parent(entity, given, scope, path)
        outer = replace(
            base, person=person, parent=parent, slots=self._slots(entity, given, scope, path)
        )
        result = [outer] if outer.slots else []
        for other, more in (given.get("also") or {}).items():
            at = (*path, "also", other)
            if self._known_entity(other, at) and isinstance(more, dict):
                result += self._also(outer, other, more, scope, at)
        return result

    def _also(
        self, outer: Branch, entity: str, given: Mapping[str, Any], scope: _Scope, path: Path
    ) -> list[Branch]:
        self._keys(given, path, ("where", "fields", "each", "parent"))
        scan = outer.scan
        if given.get("where") is not None:
            condition = self._expression((*path, "where"), scope, aggregates=False, subqueries=True)
            scan = scan.where(condition)
        is_person = outer.entity in ("individual", "organization")
        # Below anything else the outer entity names the branch, so that keys never collide.
        name = outer.name if is_person else outer.entity
        return [
            replace(
                outer,
                entity=entity,
                name=name,
                position=self.document.key_position(path),
                scan=scan,
                parent=self._parent(entity, given, scope, path),
                slots=self._slots(entity, given, scope, path),
            )
        ]

    def _keys(self, given: Mapping[str, Any], path: Path, known: Sequence[str] = _KEYS) -> None:
        for key in given:
            if key in _WAITING:
                self._add_key((*path, key), "RV209", f"{key} is not supported yet")
            elif key not in known:
                self._add_key((*path, key), "RV205", f"unknown key {key}", did_you_mean(key, known))

    # -- from, key, person, parent -----------------------------------------------------------

    def _from(self, text: str, path: Path) -> tuple[exp.Select, _Scope]:
        try:
            scan = expressions.parse_from(text)
        except ExpressionError as error:
            self._refuse(path, error)
            raise _Wrong from None
        aliases: dict[str, str] = {}
        for table in scan.find_all(exp.Table):
            if table.name not in self.tables:
                offset = text.find(table.name)
                hint = did_you_mean(table.name, self.tables)
                self._add(path, "RV213", f"unknown table {table.name}", hint, offset)
                raise _Wrong
            alias = table.alias_or_name
            if alias in aliases:
                self._add(path, "RV221", f"two tables named {alias}", "give them aliases")
            aliases[alias] = table.name
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
        scope = _Scope(aliases, {})
        for join in scan.args.get("joins") or ():
            if join.args.get("on") is not None:
                self._columns(join.args["on"], scope, path, text)
        return scan, scope

    def _key(
        self, given: Mapping[str, Any], scope: _Scope, scan: exp.Select, path: Path
    ) -> tuple[exp.Column, ...]:
        declared = given.get("key")
        first = scan.args["from_"].this
        if declared is None:
            names = self.tables[first.name].primary_key
            if not names:
                self._add(path, "RV220", f"{first.name} has no primary key", "write key:")
                raise _Wrong
            return tuple(exp.column(n, table=first.alias_or_name) for n in names)
        if isinstance(declared, dict):
            self._add((*path, "key"), "RV209", "sealed keys are not supported yet")
            raise _Wrong
        many = list(enumerate(declared)) if isinstance(declared, list) else [(None, declared)]
        columns = []
        for at, _ in many:
            where = (*path, "key") if at is None else (*path, "key", at)
            node = self._expression(where, scope, aggregates=False)
            if not isinstance(node, exp.Column):
                self._add(where, "RV206", "a key is a column", "map a plain column")
                raise _Wrong
            columns.append(node)
        return tuple(columns)

    def _person(
        self,
        entity: str,
        name: str,
        given: Mapping[str, Any],
        base: Branch,
        scope: _Scope,
        path: Path,
    ) -> tuple[PersonKey, ...]:
        if entity == "individual":
            if len(base.key) > 1:
                self._add(path, "RV209", "composite person keys are not supported yet")
                raise _Wrong
            return (PersonKey(name, base.key[0], base.key_types[0]),)
        declared = given.get("person")
        if declared is None:
            return ()
        if isinstance(declared, list):
            self._add((*path, "person"), "RV209", "composite person keys are not supported yet")
            raise _Wrong
        alternatives: list[tuple[str, Path]] = [("", (*path, "person"))]
        if isinstance(declared, dict):
            alternatives = [("" if b == "main" else str(b), (*path, "person", b)) for b in declared]
        result = []
        for branch, at in alternatives:
            node = self._expression(at, scope, aggregates=False)
            if not _is_invertible(node):
                self._add(
                    at,
                    "RV231",
                    f"person {node.sql(dialect='postgres')} cannot be asked by key",
                    "map a column, NULLIF, CASE … THEN column or a constant prefix",
                )
                raise _Wrong
            result.append(PersonKey(branch, node, self._type(node, scope, at)))
        return tuple(result)

    def _parent(
        self, entity: str, given: Mapping[str, Any], scope: _Scope, path: Path
    ) -> ParentKey | None:
        declared = given.get("parent")
        if declared is None:
            return None
        at = (*path, "parent")
        if not isinstance(declared, dict) or len(declared) != 1:
            self._add(at, "RV206", "parent names one entity", "parent: {sales_order: i.sale_id}")
            raise _Wrong
        name = next(iter(declared))
        parent, _, branch = str(name).partition(".")
        if parent not in self.canonical.entities[entity].parents:
            known = self.canonical.entities[entity].parents
            self._add_key((*at, name), "RV217", f"{entity} does not lie below {parent}",
                          did_you_mean(parent, known))  # fmt: skip
            raise _Wrong
        node = self._expression((*at, name), scope, aggregates=False)
        type_ = self._type(node, scope, (*at, name))
        return ParentKey(parent, "" if branch == "main" else branch, node, type_)

    def _children(self, given: Any, scope: _Scope, path: Path) -> Mapping[str, Child]:
        result: dict[str, Child] = {}
        for alias, one in (given or {}).items():
            at = (*path, "children", alias)
            if not isinstance(one, dict) or "from" not in one or "where" not in one:
                self._add(at, "RV220", "a child needs `from` and `where`")
                continue
            if "first" in one:
                self._add_key((*at, "first"), "RV209", "first is not supported yet")
                continue
            if self.connector == "rest":
                self._add(at, "RV209", "children of REST tables are not supported yet")
                continue
            try:
                scan, inner = self._from(one["from"], (*at, "from"))
                both = _Scope({**scope.aliases, **inner.aliases}, {})
                condition = self._expression((*at, "where"), both, aggregates=False)
            except _Wrong:
                continue
            links = tuple(_links(condition, inner.aliases))
            result[alias] = Child(alias, scan.where(condition, copy=False), inner.aliases, links)
        return result

    def _is_unique(self, scan: exp.Select, scope: _Scope) -> bool:
        """Tells whether each joined table is joined on a unique key, constants counted."""
        for join in scan.args.get("joins") or ():
            on = join.args.get("on")
            if on is None:
                return False
            alias = join.this.alias_or_name
            bound = set()
            for equality in on.find_all(exp.EQ):
                for mine, other in (
                    (equality.this, equality.expression),
                    (equality.expression, equality.this),
                ):
                    if isinstance(mine, exp.Column) and mine.table == alias:
                        theirs = {c.table for c in other.find_all(exp.Column)}
                        if alias not in theirs:
                            bound.add(mine.name)
            if not self.tables[scope.aliases[alias]].is_unique(frozenset(bound)):
                return False
        return True

    # -- fields ------------------------------------------------------------------------------

    def _slots(
        self, entity: str, given: Mapping[str, Any], scope: _Scope, path: Path
    ) -> Mapping[str, Mapping[str, FieldMapping]]:
        target = self.canonical.entities[entity]
        shared = self._fields(target, given.get("fields"), scope, (*path, "fields"))
        each = given.get("each")
        if not isinstance(each, dict):
            return {"": shared} if shared else {}
        return {
            slot: {**shared, **self._fields(target, own, scope, (*path, "each", slot))}
            for slot, own in each.items()
        }

    def _fields(
        self, entity: Entity, given: Any, scope: _Scope, path: Path
    ) -> dict[str, FieldMapping]:
        result: dict[str, FieldMapping] = {}
        if given is not None and not isinstance(given, dict):
            self._add(path, "RV206", "fields are a map of names")
            return result
        values: dict[str, Any] = given or {}
        for name in values:
            at = (*path, name)
            if name not in entity.fields and name not in MAPPABLE_COMMON:
                hint = did_you_mean(name, entity.fields)
                self._add_key(at, "RV218", f"unknown field {name} of {entity.name}", hint)
                continue
            try:
                result[name] = self._field(entity, name, values[name], scope, at)
            except _Wrong:
                continue
        return result

    def _field(
        self, entity: Entity, name: str, given: Any, scope: _Scope, path: Path
    ) -> FieldMapping:
        target = entity.types[name]
        position = self.document.position(path)
        if isinstance(given, dict):
            for key in given:
                if key not in _VALUE_KEYS:
                    self._add_key((*path, key), "RV205", f"unknown key {key}",
                                  did_you_mean(key, _VALUE_KEYS))  # fmt: skip
            if "const" in given:
                self._enum(target, [given["const"]], (*path, "const"))
                return FieldMapping(
                    exp.Literal.string(str(given["const"])), Type(Kind.TEXT), position
                )
            if "value" not in given:
                self._add(path, "RV220", "a field needs `value` or `const`")
                raise _Wrong
            node = self._expression((*path, "value"), scope)
            codes = given.get("map")
            if codes is not None:
                values = [v for v in [*codes.values(), given.get("else")] if v is not None]
                self._enum(target, values, (*path, "map"))
            return FieldMapping(
                node,
                self._type(node, scope, (*path, "value")),
                position,
                codes={k: v for k, v in codes.items() if k != "null"} if codes else None,
                otherwise=given.get("else"),
                null_code=(codes or {}).get("null"),
                time_zone=given.get("time_zone", ""),
            )
        if not isinstance(given, str):
            literal = exp.convert(given)
            return FieldMapping(literal, self._type(literal, scope, path), position)
        node = self._expression(path, scope)
        type_ = self._type(node, scope, path)
        if target.kind is Kind.ENUM and isinstance(node, exp.Case | exp.Literal):
            self._enum(target, _texts(node), path)
        if not _fits(type_, target):
            self._add(path, "RV215", f"{type_} does not become {target}", "cast it")
        return FieldMapping(node, type_, position)

    def _enum(self, target: Type, values: Sequence[Any], path: Path) -> None:
        if target.kind is not Kind.ENUM:
            return
        for value in values:
            if str(value) not in target.values:
                hint = (
                    did_you_mean(str(value), target.values) or f"one of {', '.join(target.values)}"
                )
                self._add(path, "RV219", f"{value} is not in the canonical enum", hint)

    # -- expressions -------------------------------------------------------------------------

    def _expression(
        self, path: Path, scope: _Scope, *, aggregates: bool = True, subqueries: bool = False
    ) -> exp.Expr:
        text = self._text(path)
        subqueries = subqueries and self.connector in ("sqlite", "files")
        try:
            node = expressions.parse(text, subqueries=subqueries)
        except ExpressionError as error:
            self._refuse(path, error)
            raise _Wrong from None
        found = list(node.find_all(*expressions.AGGREGATES))
        if found and not aggregates:
            self._add(path, "RV211", "no aggregates here")
            raise _Wrong
        for aggregate in found:
            outer = aggregate.parent if isinstance(aggregate.parent, exp.Filter) else aggregate
            used = {c.table for c in outer.find_all(exp.Column)}
            owners = {self._child_of(alias, scope) for alias in used}
            if len(owners) > 1 or None in owners:
                self._add(path, "RV216", "an aggregate names columns of exactly one child")
                raise _Wrong
        self._columns(node, scope, path, text)
        return node

    def _text(self, path: Path) -> str:
        value: Any = self.document.data
        for part in path:
            value = value[part]
        return value if isinstance(value, str) else str(value)

    def _columns(self, node: exp.Expr, scope: _Scope, path: Path, text: str) -> None:
        for column in node.find_all(exp.Column):
            if any(isinstance(up, exp.Select) for up in _ancestors(column)):
                continue
            if not column.table and len(scope.aliases) == 1:
                column.set("table", exp.to_identifier(next(iter(scope.aliases))))
            offset = expressions.offset_of(column, text)
            try:
                self._column_type(column, scope)
            except ExpressionError as error:
                self._add(path, error.code, error.message, error.hint, offset)
                raise _Wrong from None

    def _column_type(self, column: exp.Column, scope: _Scope) -> Type:
        table = scope.aliases.get(column.table)
        if table is None:
            for child in scope.children.values():
                table = table or child.aliases.get(column.table)
        if table is None:
            name = column.sql(dialect="postgres")
            raise ExpressionError(f"unknown column {name}", _unqualified_hint(column),
                                  code="RV214")  # fmt: skip
        known = self.tables[table].columns
        if column.name not in known:
            near = did_you_mean(column.name, known)
            name = column.sql(dialect="postgres")
            raise ExpressionError(f"unknown column {name} in {table}", near, code="RV214")
        return known[column.name].type

    def _type(self, node: exp.Expr, scope: _Scope, path: Path) -> Type:
        try:
            return expressions.infer(node, lambda column: self._column_type(column, scope))
        except ExpressionError as error:
            self._refuse(path, error)
            raise _Wrong from None

    def _child_of(self, alias: str, scope: _Scope) -> str | None:
        for child in scope.children.values():
            if alias in child.aliases or alias == child.alias:
                return child.alias
        return None

    def _known_entity(self, entity: str, path: Path) -> bool:
        if entity in self.canonical.entities:
            return True
        hint = did_you_mean(entity, self.canonical.entities)
        self._add_key(path, "RV217", f"unknown entity {entity}", hint)
        return False

    def _refuse(self, path: Path, error: ExpressionError) -> None:
        self._add(path, error.code, error.message, error.hint, error.offset)

    def _add(self, path: Path, code: str, message: str, hint: str = "", offset: int = 0) -> None:
        self.report.add(self.document.position(path, offset), code, message, hint)

    def _add_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        place: Position = self.document.key_position(path)
        self.report.add(place, code, message, hint)


def _unqualified_hint(column: exp.Column) -> str:
    if column.table:
        return "begin it with an alias of from"
    return f"begin it with an alias of from, or write {{const: {column.name}}} for a text"


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _is_invertible(node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return True
    if isinstance(node, exp.Paren | exp.Nullif):
        return _is_invertible(node.this)
    if isinstance(node, exp.Cast):
        return str(node.args["to"].this.value) in ("TEXT", "VARCHAR") and _is_invertible(node.this)
    if isinstance(node, exp.DPipe):
        return isinstance(node.this, exp.Literal) and _is_invertible(node.expression)
    if isinstance(node, exp.Case):
        ifs = node.args["ifs"]
        plain = node.this is None and node.args.get("default") is None and len(ifs) == 1
        return plain and _is_invertible(ifs[0].args["true"])
    return False


def _links(
    condition: exp.Expr, inner: Mapping[str, str]
) -> Iterator[tuple[exp.Column, exp.Column]]:
    for equality in condition.find_all(exp.EQ):
        left, right = equality.this, equality.expression
        if isinstance(left, exp.Column) and isinstance(right, exp.Column):
            if left.table in inner and right.table not in inner:
                yield left, right
            elif right.table in inner and left.table not in inner:
                yield right, left


def _texts(node: exp.Expr) -> list[str]:
    if isinstance(node, exp.Case):
        results = [part.args["true"] for part in node.args["ifs"]]
        results += [node.args["default"]] if node.args.get("default") is not None else []
        return [str(r.this) for r in results if isinstance(r, exp.Literal) and r.is_string]
    return [str(node.this)] if isinstance(node, exp.Literal) and node.is_string else []


def _fits(source: Type, target: Type) -> bool:
    if target.is_time:
        return source.is_time or source.kind in (Kind.DATE, Kind.TEXT)
    if target.kind is Kind.DATE:
        return source.is_time or source.kind in (Kind.DATE, Kind.TEXT)
    if target.is_number:
        return source.is_number or source.is_text
    if target.kind is Kind.BOOLEAN:
        return source.kind in (Kind.BOOLEAN, Kind.INTEGER) or source.is_text
    return True
