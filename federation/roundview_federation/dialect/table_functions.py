"""Decides what functions in FROM are: lookup, generate_series and unnest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from roundview_federation.dialect.refusal import FUNCTION, SYNTAX, refuse, unsupported
from roundview_federation.dialect.scopes import Output, Scope, Source, folded, identifier, renamed

if TYPE_CHECKING:
    from roundview_federation.dialect.names import Queries, Resolver

LOOKUP = "lookup"
# What lookup(kind, value) gives where the schema says nothing else.
LOOKUP_COLUMNS = ("customer_id", "link_state")
# Functions of many rows: they stand in FROM and nowhere else.
OF_ROWS = (exp.Unnest, exp.ExplodingGenerateSeries)
_VALUE, _ORDINALITY = "value", "ordinality"


def function(
    resolver: Resolver, holder: exp.Expr, alias: exp.Expr | None, left: Scope, queries: Queries
) -> Source:
    """Resolves the function that a holder, FROM or a join, has; `left` is what it can name."""
    node = holder.this
    if isinstance(node, exp.Unnest):
        if len(node.expressions) != 1:
            raise unsupported("unnest of several arrays", node)
        item = resolver.expression(node.expressions[0], left, queries)
        values: list[exp.Expr] = [exp.Unnest(expressions=[item])]
        offset = node.args.get("offset")
        if isinstance(offset, exp.Identifier) and alias is not None:
            # The parser has taken the last name away.
            alias.append("columns", offset)
        if offset:
            values.append(exp.Unnest(expressions=[item.copy()], offset=True))
        return _derived(resolver, holder, alias, "unnest", values)
    call = node.this
    if isinstance(call, exp.Anonymous) and call.this == LOOKUP:
        return _lookup(resolver, node, call, alias)
    if isinstance(call, exp.Anonymous) and call.this == "generate_series":
        call = _series(call)
        node.set("this", call)
        if not all(_is_whole(part) for part in call.args.values() if part is not None):
            for name, part in call.args.items():
                if part is not None:
                    call.set(name, resolver.expression(part, left, queries))
            return _derived(resolver, holder, alias, "generate_series", [call])
        name = folded(alias.this) if alias is not None else "generate_series"
        real = resolver.unique(name)
        node.set("alias", exp.TableAlias(this=identifier(real), columns=[identifier(_VALUE)]))
        return Source(name, real, _outputs(alias, name, 1))
    raise unsupported("this function in FROM", node)


def _series(call: exp.Expr) -> exp.Expr:
    if not 2 <= len(call.expressions) <= 3:
        raise refuse(FUNCTION, "generate_series takes a start, an end and a step", call)
    names = ("start", "end", "step")
    return exp.ExplodingGenerateSeries(**dict(zip(names, call.expressions, strict=False)))


def _lookup(resolver: Resolver, node: exp.Expr, call: exp.Expr, alias: exp.Expr | None) -> Source:
    if node.args.get("db") is not None or len(call.expressions) != 2:
        raise refuse(SYNTAX, "lookup takes a kind and a value", node)
    for part in call.expressions:
        if not isinstance(part, exp.Parameter) and not part.is_string:
            raise unsupported("lookup of anything but a constant", part)
    columns = tuple(resolver.schema.get(LOOKUP, LOOKUP_COLUMNS))
    name = folded(alias.this) if alias is not None else LOOKUP
    real = resolver.unique(name)
    node.set("alias", exp.TableAlias(this=identifier(real)))
    outputs = tuple(Output(one, one) for one in columns)
    named = alias.args.get("columns") if alias is not None else None
    return Source(name, real, renamed(outputs, named, node))


def _derived(
    resolver: Resolver,
    holder: exp.Expr,
    alias: exp.Expr | None,
    function_name: str,
    values: list[exp.Expr],
) -> Source:
    """Puts a SELECT of the function's rows in its place."""
    name = folded(alias.this) if alias is not None and alias.this is not None else function_name
    real = resolver.unique(name)
    aliases = (_VALUE, _ORDINALITY)
    inner = exp.Select(
        expressions=[
            exp.Alias(this=value, alias=identifier(one))
            for value, one in zip(values, aliases, strict=False)
        ]
    )
    holder.set("this", exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(real))))
    return Source(name, real, _outputs(alias, name, len(values)))


def _outputs(alias: exp.Expr | None, name: str, count: int) -> tuple[Output, ...]:
    """Returns the columns: the first has the alias's name where no other is given."""
    outputs = (Output(name, _VALUE), Output(_ORDINALITY, _ORDINALITY))[:count]
    columns = alias.args.get("columns") if alias is not None else None
    return renamed(outputs, columns, alias) if alias is not None else outputs


def _is_whole(node: exp.Expr) -> bool:
    sign = node.this if isinstance(node, exp.Neg) else node
    return isinstance(sign, exp.Literal) and not sign.is_string and sign.name.isdigit()
