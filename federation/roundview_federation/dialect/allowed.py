"""Decides which kinds of syntax a question may hold: everything that is not listed is refused."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp


def _args(*rows: tuple[type[exp.Expr], str]) -> Mapping[type[exp.Expr], frozenset[str]]:
    return MappingProxyType({kind: frozenset(names.split()) for kind, names in rows})


_BINARY = "this expression"
_SET = "this expression distinct with_ order limit offset"
_AGGREGATE = "this"

# Each kind of node with the arguments that may be filled. Scalar functions with plain calls stay
# `exp.Anonymous` under the name that was written; the table of functions decides about them.
ALLOWED: Mapping[type[exp.Expr], frozenset[str]] = _args(
    # queries
    (
        exp.Select,
        "expressions from_ joins where group having windows distinct order limit offset with_",
    ),
    (exp.Union, _SET),
    (exp.Intersect, _SET),
    (exp.Except, _SET),
    (exp.Subquery, "this alias order limit offset with_ joins"),
    (exp.With, "expressions recursive"),
    (exp.CTE, "this alias materialized"),
    (exp.From, "this"),
    (exp.Join, "this on using side kind method"),
    (exp.Table, "this db alias joins"),
    (exp.TableAlias, "this columns"),
    (exp.Values, "expressions alias order limit offset with_"),
    (exp.Lateral, "this alias ordinality"),
    (exp.Unnest, "expressions alias offset"),
    (exp.Where, "this"),
    (exp.Group, "expressions"),
    (exp.Rollup, "expressions"),
    (exp.Cube, "expressions"),
    (exp.GroupingSets, "expressions"),
    (exp.Having, "this"),
    (exp.Distinct, "on expressions"),
    (exp.Order, "this expressions"),
    (exp.Ordered, "this desc nulls_first"),
    (exp.Limit, "expression"),
    (exp.Fetch, "direction count limit_options"),
    (exp.LimitOptions, "rows"),
    (exp.Offset, "expression"),
    # names and values
    (exp.Star, ""),
    (exp.Column, "this table db"),
    (exp.Identifier, "this quoted"),
    (exp.Alias, "this alias"),
    (exp.Literal, "this is_string"),
    (exp.Boolean, "this"),
    (exp.Null, ""),
    (exp.Parameter, "this"),
    (exp.Var, "this"),
    (exp.Paren, "this"),
    (exp.Tuple, "expressions"),
    (exp.Array, "expressions"),
    # operators
    (exp.Add, _BINARY),
    (exp.Sub, _BINARY),
    (exp.Mul, _BINARY),
    (exp.Div, "this expression typed"),
    (exp.Mod, _BINARY),
    (exp.Pow, _BINARY),
    (exp.Neg, "this"),
    (exp.DPipe, "this expression safe"),
    (exp.And, _BINARY),
    (exp.Or, _BINARY),
    (exp.Not, "this"),
    (exp.EQ, _BINARY),
    (exp.NEQ, _BINARY),
    (exp.LT, _BINARY),
    (exp.LTE, _BINARY),
    (exp.GT, _BINARY),
    (exp.GTE, _BINARY),
    (exp.NullSafeEQ, _BINARY),
    (exp.NullSafeNEQ, _BINARY),
    (exp.Is, "this expression negate"),
    (exp.Between, "this low high symmetric negate"),
    (exp.In, "this expressions query negate"),
    (exp.Like, "this expression negate"),
    (exp.ILike, "this expression negate"),
    (exp.Escape, _BINARY),
    (exp.RegexpLike, _BINARY),
    (exp.RegexpILike, _BINARY),
    (exp.Any, "this"),
    (exp.All, "this"),
    (exp.Exists, "this"),
    (exp.AtTimeZone, "this zone"),
    # forms with a syntax of their own
    (exp.Case, "this ifs default"),
    (exp.If, "this true"),
    (exp.Cast, "this to"),
    (exp.DataType, "this expressions nested"),
    (exp.DataTypeParam, "this"),
    (exp.Extract, "this expression"),
    (exp.Substring, "this start length"),
    (exp.Trim, "this expression position"),
    (exp.StrPosition, "this substr"),
    (exp.CurrentTimestamp, ""),
    (exp.CurrentDate, ""),
    (exp.Localtimestamp, ""),
    (exp.Coalesce, "this expressions"),
    (exp.Nullif, "this expression"),
    (exp.Greatest, "this expressions ignore_nulls"),
    (exp.Least, "this expressions ignore_nulls"),
    (exp.Anonymous, "this expressions"),
    # aggregates and windows
    (exp.Count, "this big_int"),
    (exp.Sum, _AGGREGATE),
    (exp.Avg, _AGGREGATE),
    (exp.Min, "this"),
    (exp.Max, "this"),
    (exp.LogicalAnd, _AGGREGATE),
    (exp.LogicalOr, _AGGREGATE),
    (exp.GroupConcat, "this separator"),
    (exp.ArrayAgg, _AGGREGATE),
    (exp.PercentileCont, "this"),
    (exp.PercentileDisc, "this"),
    (exp.WithinGroup, "this expression"),
    (exp.Filter, "this expression"),
    (exp.Grouping, "expressions"),
    (exp.Window, "this partition_by order spec alias over"),
    (exp.WindowSpec, "kind start start_side end end_side exclude"),
    (exp.RowNumber, ""),
    (exp.Rank, ""),
    (exp.DenseRank, ""),
    (exp.PercentRank, ""),
    (exp.CumeDist, ""),
    (exp.Ntile, "this"),
    (exp.Lag, "this offset default"),
    (exp.Lead, "this offset default"),
    (exp.FirstValue, "this"),
    (exp.LastValue, "this"),
    (exp.NthValue, "this offset"),
)

# Words that PostgreSQL never takes for a name without quotes.
RESERVED = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "column",
        "constraint",
        "create",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "from",
        "grant",
        "group",
        "having",
        "in",
        "initially",
        "intersect",
        "into",
        "lateral",
        "leading",
        "limit",
        "not",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "placing",
        "primary",
        "references",
        "returning",
        "select",
        "some",
        "symmetric",
        "table",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "using",
        "variadic",
        "when",
        "where",
        "window",
        "with",
    ]
)

# Words that are calls to PostgreSQL where they stand alone.
SESSION = frozenset(
    {
        "user", "current_user", "session_user", "current_role", "current_catalog", "localtime",
        "current_schema", "current_time",
    }
)  # fmt: skip

# How tightly PostgreSQL's operators bind; a tree whose operators bind differently was read wrongly.
BINDING: Mapping[type[exp.Expr], int] = MappingProxyType(
    {
        exp.Or: 1, exp.And: 2, exp.Not: 3,
        exp.Is: 4, exp.NullSafeEQ: 4, exp.NullSafeNEQ: 4,
        exp.EQ: 5, exp.NEQ: 5, exp.LT: 5, exp.LTE: 5, exp.GT: 5, exp.GTE: 5,
        exp.Between: 6, exp.In: 6, exp.Like: 6, exp.ILike: 6, exp.Escape: 6,
        exp.DPipe: 7, exp.RegexpLike: 7, exp.RegexpILike: 7,
        exp.Add: 8, exp.Sub: 8, exp.Mul: 9, exp.Div: 9, exp.Mod: 9, exp.Pow: 10,
        exp.AtTimeZone: 11, exp.Neg: 13,
    }
)  # fmt: skip

# Levels whose operators may stand in a row, read from the left.
CHAINED = frozenset({1, 2, 7, 8, 9, 10, 11})
PREFIX = frozenset({3, 13})
