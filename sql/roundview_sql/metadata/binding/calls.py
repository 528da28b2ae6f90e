"""Decides which function of PostgreSQL a call means, and what the engine is told for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from roundview_sql import type_codes as codes
from roundview_sql.failures import WireError, unsupported
from roundview_sql.metadata.binding.casts import ANY, ANYARRAY, ANYELEMENT, ANYNONARRAY, Casts
from roundview_sql.metadata.binding.typed import Typed, call, macro, number
from roundview_sql.metadata.reference import CATALOG, Function, Reference

_COMPATIBLE, _COMPATIBLE_ARRAY, _COMPATIBLE_NONARRAY = 5077, 5078, 5079
_ARRAYS: Final = (ANYARRAY, _COMPATIBLE_ARRAY)
_ELEMENTS: Final = (ANYELEMENT, ANYNONARRAY, _COMPATIBLE, _COMPATIBLE_NONARRAY, 3500)
_INTERNAL: Final = frozenset([2281, 2278])
AGGREGATES: Final = frozenset(
    ["array_agg", "string_agg", "count", "sum", "min", "max", "avg", "bool_or", "bool_and", "every",
     "json_agg", "jsonb_agg"]
)  # fmt: skip
# The engine's own functions that mean the same.
_SAME: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{one: one for one in (
            "upper", "lower", "replace", "left", "right", "substr", "concat", "concat_ws", "md5",
            "reverse", "repeat", "translate", "lpad", "rpad", "ltrim", "rtrim", "abs", "round",
            "ceil", "floor", "coalesce", "greatest", "least", "chr", "ascii", "initcap",
            "array_agg", "string_agg", "count", "sum", "min", "max", "avg", "bool_or", "bool_and",
            "row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value",
            "starts_with", "power", "sqrt", "random", "date_trunc", "date_part",
        )},
        "substring": "substr", "now": "now", "clock_timestamp": "now", "every": "bool_and",
        "transaction_timestamp": "now", "statement_timestamp": "now",
        "json_agg": "json_group_array", "jsonb_agg": "json_group_array",
        "regexp_replace": "regexp_replace", "ceiling": "ceil",
        "json_build_object": "json_object", "jsonb_build_object": "json_object",
        "json_build_array": "json_array", "to_json": "to_json", "to_jsonb": "to_json",
        "position": "strpos",
    }
)  # fmt: skip
# Functions of many rows: what makes a list of their rows.
LISTS: Final = frozenset(
    ["unnest", "generate_series", "generate_subscripts", "_pg_expandarray", "aclexplode",
     "pg_options_to_table", "regexp_split_to_table", "string_to_table"]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is written."""

    schema: str
    name: str
    arguments: tuple[exp.Expr, ...]
    is_distinct: bool = False
    order: exp.Order | None = None


class Calls:
    """Finds functions; `macros` are those that the engine has been taught."""

    def __init__(self, reference: Reference, casts: Casts, macros: frozenset[str]) -> None:
        self._reference = reference
        self._casts = casts
        self._macros = macros

    def choose(
        self, schema: str, name: str, arguments: Sequence[Typed]
    ) -> tuple[Function, tuple[Typed, ...], int]:
        """Returns a function, its arguments as it takes them, its result's type; raises 42883."""
        known = [
            one
            for one in self._reference.functions.get(name, ())
            if (not schema and one.schema == CATALOG) or one.schema == schema
            if self._takes(one, arguments)
        ]
        if not known:
            raise WireError("42883", f"function {name}() with these arguments does not exist")
        best = max(known, key=lambda one: self._score(one, arguments))
        types = self._types(best, len(arguments))
        bound = self._bound(types, arguments)
        made = tuple(
            self._casts.cast(value, target) if target else value
            for value, target in zip(arguments, bound, strict=True)
        )
        return best, made, self._result(best, types, made)

    def rendered(self, function: Function, arguments: Sequence[Typed]) -> exp.Expr:
        """Returns what the engine is told; raises 0A000 for what it was not taught."""
        nodes = [one.node for one in arguments]
        name = function.name
        if name in self._macros:
            return macro(name, *nodes)
        if name in _SAME and function.schema == CATALOG:
            return call(_SAME[name], *nodes)
        if name.startswith("pg_stat_get_"):
            return exp.Cast(this=exp.Null(), to=self._casts.engine(function.result))
        raise unsupported(f"{name}()")

    def rows(
        self, function: Function, arguments: Sequence[Typed], result: int
    ) -> tuple[exp.Expr, tuple[tuple[str, int], ...]]:
        """Returns the list of what a function of many rows gives, and the fields of each."""
        name, nodes = function.name, [one.node for one in arguments]
        if name == "unnest":
            return nodes[0], ()
        if name == "generate_series":
            made = call("generate_series", *nodes)
            element = exp.DataType(this=exp.DType.ARRAY, expressions=[self._casts.engine(result)])
            return exp.Cast(this=made, to=element), ()
        if name == "generate_subscripts":
            first = 0 if arguments[0].oid in (codes.INT2VECTOR, codes.OIDVECTOR) else 1
            size = call("len", nodes[0])
            made = call("range", number(first), exp.Add(this=size, expression=number(first)))
            return exp.Cast(this=made, to=self._casts.engine(codes.array_of(codes.INT4))), ()
        if name in ("regexp_split_to_table", "string_to_table"):
            splits = "string_split_regex" if name.startswith("regexp") else "string_split"
            return call(splits, *nodes), ()
        if name == "_pg_expandarray":
            element_oid = self._casts.element(arguments[0].oid)
            return macro(name, *nodes), (("x", element_oid), ("n", codes.INT4))
        return macro(name, *nodes), function.columns

    def _takes(self, function: Function, arguments: Sequence[Typed]) -> bool:
        count = len(function.arguments)
        if function.kind == "p" or not (
            count - function.defaults <= len(arguments) <= count
            or (function.variadic and len(arguments) >= count - 1)
        ):
            return False
        types = self._types(function, len(arguments))
        return all(self._fits(value, type_) for value, type_ in zip(arguments, types, strict=False))

    def _fits(self, value: Typed, target: int) -> bool:
        if target in _INTERNAL:
            return False
        if value.is_unknown or target == ANY or target in _ELEMENTS:
            return True
        if target in _ARRAYS:
            return bool(self._casts.element(value.oid))
        return self._casts.implicit(value.oid, target)

    def _score(self, function: Function, arguments: Sequence[Typed]) -> tuple[int, ...]:
        types = self._types(function, len(arguments))
        pairs = list(zip(arguments, types, strict=False))
        base = self._reference.base
        exact = sum(not v.is_unknown and base(v.oid) == t for v, t in pairs)
        preferred = sum(not v.is_unknown and self._casts.preferred(t) for v, t in pairs)
        texts = sum(v.is_unknown and t == codes.TEXT for v, t in pairs)
        return exact, preferred, texts, -len(function.arguments), not function.variadic

    def _types(self, function: Function, count: int) -> tuple[int, ...]:
        types = function.arguments
        if not function.variadic:
            return types[:count]
        if function.variadic == ANY:
            return (*types[:-1], *([ANY] * (count - len(types) + 1)))
        return (*types[:-1], *([function.variadic] * (count - len(types) + 1)))

    def _bound(self, types: Sequence[int], arguments: Sequence[Typed]) -> list[int]:
        """Returns the type that each argument becomes, 0 where it stays what it is."""
        element = 0
        for value, type_ in zip(arguments, types, strict=False):
            if value.is_unknown:
                continue
            if type_ in _ARRAYS:
                element = element or self._casts.element(value.oid)
            elif type_ in _ELEMENTS:
                element = element or self._reference.base(value.oid)
        found = []
        for value, type_ in zip(arguments, types, strict=False):
            if type_ == ANY:
                found.append(codes.TEXT if value.is_unknown else 0)
            elif type_ in _ARRAYS:
                found.append(self._casts.array(element or codes.TEXT) if value.is_unknown else 0)
            elif type_ in _ELEMENTS:
                found.append((element or codes.TEXT) if value.is_unknown else 0)
            else:
                found.append(type_)
        return found

    def _result(self, function: Function, types: Sequence[int], made: Sequence[Typed]) -> int:
        result = function.result
        if result not in (*_ARRAYS, *_ELEMENTS):
            return result
        for value, type_ in zip(made, types, strict=False):
            if type_ in _ARRAYS:
                element = self._casts.element(value.oid)
                return element if result in _ELEMENTS else self._casts.array(element)
            if type_ in _ELEMENTS:
                base = self._reference.base(value.oid)
                return self._casts.array(base) if result in _ARRAYS else base
        return codes.TEXT


def call_of(node: exp.Expr, schema: str = "") -> Call | None:
    """Returns a call, None for what is none."""
    read = _READ.get(type(node))
    if read is not None:
        name, arguments = read(node)
        return _plain(schema, name, [one for one in arguments if one is not None])
    if isinstance(node, exp.Anonymous):
        name = node.this if isinstance(node.this, str) else node.this.name
        return _plain(schema, name.lower(), node.expressions)
    if isinstance(node, exp.Func) and not isinstance(node, exp.Cast | exp.Case | exp.Connector):
        values: list[exp.Expr] = []
        for key in node.arg_types:
            value = node.args.get(key)
            if isinstance(value, list):
                values += [one for one in value if isinstance(one, exp.Expr)]
            elif isinstance(value, exp.Expr):
                values.append(value)
        return _plain(schema, _NAMES.get(type(node), node.sql_name().lower()), values)
    return None


def _plain(schema: str, name: str, arguments: Sequence[exp.Expr]) -> Call:
    made = list(arguments)
    order = None
    is_distinct = False
    for at, one in enumerate(made):
        if isinstance(one, exp.Order) and one.this is not None:
            order, made[at] = one, one.this
        if isinstance(made[at], exp.Distinct):
            is_distinct = True
            made[at : at + 1] = made[at].expressions
            for place, inner in enumerate(made):
                if isinstance(inner, exp.Order) and inner.this is not None:
                    order, made[place] = inner, inner.this
    return Call(schema, name, tuple(made), is_distinct, order)


def _named(name: str, *arguments: str) -> Callable[[exp.Expr], tuple[str, list[exp.Expr | None]]]:
    return lambda node: (name, [node.args.get(one) for one in arguments])


def _group_concat(node: exp.Expr) -> tuple[str, list[exp.Expr | None]]:
    return "string_agg", [node.this, node.args.get("separator")]


def _count(node: exp.Expr) -> tuple[str, list[exp.Expr | None]]:
    return "count", [] if isinstance(node.this, exp.Star) else [node.this, *node.expressions]


def _trim(node: exp.Expr) -> tuple[str, list[exp.Expr | None]]:
    names = {"LEADING": "ltrim", "TRAILING": "rtrim"}
    name = names.get(str(node.args.get("position")), "btrim")
    return name, [node.this, node.expression]


def _json_object(node: exp.Expr) -> tuple[str, list[exp.Expr | None]]:
    pairs = node.expressions
    return "json_build_object", [part for one in pairs for part in (one.this, one.expression)]


_READ: Final[Mapping[type[exp.Expr], Callable[[exp.Expr], tuple[str, list[exp.Expr | None]]]]] = (
    MappingProxyType(
        {
            exp.ExplodingGenerateSeries: _named("generate_series", "start", "end", "step"),
            exp.GenerateSeries: _named("generate_series", "start", "end", "step"),
            exp.Explode: _named("unnest", "this"),
            exp.GroupConcat: _group_concat,
            exp.Count: _count,
            exp.Trim: _trim,
            exp.StrPosition: _named("strpos", "this", "substr"),
            exp.Substring: _named("substring", "this", "start", "length"),
            exp.RegexpReplace: _named(
                "regexp_replace", "this", "expression", "replacement", "modifiers"
            ),
            exp.CurrentSchemas: _named("current_schemas", "this"),
            exp.CurrentTimestamp: _named("now"),
            exp.JSONObject: _json_object,
            exp.SplitPart: _named("split_part", "this", "delimiter", "part_index"),
            exp.Left: _named("left", "this", "expression"),
            exp.Right: _named("right", "this", "expression"),
            exp.ArrayToString: _named("array_to_string", "this", "expression", "null"),
            exp.Length: _named("length", "this"),
        }
    )
)
_NAMES: Final[Mapping[type[exp.Expr], str]] = MappingProxyType(
    {
        exp.LogicalOr: "bool_or", exp.LogicalAnd: "bool_and", exp.CurrentVersion: "version",
        exp.CurrentCatalog: "current_database", exp.SessionUser: "session_user",
        exp.CurrentDatabase: "current_database", exp.CurrentUser: "current_user",
        exp.CurrentSchema: "current_schema", exp.ArrayConcat: "array_cat",
        exp.ArraySize: "array_length", exp.MD5: "md5",
    }
)  # fmt: skip
