"""Decides which text is an expression of a catalog: an allow-list over the parsed tree."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from roundview_catalog.report import did_you_mean

LONGEST = 8192
DEEPEST = 100
MOST_NODES = 500

OWN_FUNCTIONS = (
    "normalize_email", "normalize_phone", "normalize_name", "normalize_code", "normalize_handle",
    "country_code", "email_domain", "phone_country", "is_mobile",
)  # fmt: skip

AGGREGATES = (exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg, exp.GroupConcat, exp.LogicalOr,
              exp.LogicalAnd)  # fmt: skip

_ALLOWED: frozenset[type[exp.Expr]] = frozenset({
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Star,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In,
    exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.Like, exp.ILike, exp.Case, exp.If,
    exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.DPipe, exp.Concat, exp.ConcatWs,
    exp.Lower, exp.Upper, exp.Trim, exp.Left, exp.Right, exp.Substring, exp.Length, exp.Replace,
    exp.SplitPart, exp.StrPosition, exp.Pad, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Mod,
    exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Cast, exp.TryCast, exp.DataType,
    exp.DataTypeParam, exp.TimestampTrunc, exp.Extract, exp.AtTimeZone, exp.Interval, exp.Var,
    exp.UnixToTime, exp.JSONExtract, exp.JSONExtractScalar, exp.JSONPath, exp.JSONPathRoot,
    exp.JSONPathKey, exp.JSONPathSubscript, exp.Filter, exp.Where, exp.Distinct, exp.Anonymous,
    *AGGREGATES,
})  # fmt: skip
_SUBQUERY: frozenset[type[exp.Expr]] = frozenset(
    {exp.Exists, exp.Select, exp.Subquery, exp.From, exp.Table, exp.TableAlias, exp.Join}
)


class ExpressionError(ValueError):
    """An expression is not allowed or does not fit; `offset` counts characters of its text."""

    def __init__(self, message: str, hint: str = "", offset: int = 0, code: str = "RV211") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset
        self.code = code


def parse(text: str, *, subqueries: bool = False) -> exp.Expr:
    """Reads ONE expression in PostgreSQL's syntax; raises ExpressionError.

    `subqueries` allows EXISTS (…) and IN (SELECT …), as in `where`.
    """
    tree = _parsed(text, f"SELECT {text}", len("SELECT "))
    if len(tree.expressions) != 1 or tree.args.get("from_") or tree.args.get("where"):
        raise ExpressionError("more than one expression", "write one expression", 0, "RV210")
    node: exp.Expr = tree.expressions[0]
    if isinstance(node, exp.Alias):
        raise ExpressionError("an alias has no meaning here", "leave AS out", 0)
    _check(node, text, _ALLOWED | _SUBQUERY if subqueries else _ALLOWED)
    node.pop()
    return node


def parse_from(text: str) -> exp.Select:
    """Reads a FROM list: INNER, LEFT and CROSS JOIN of tables with aliases."""
    statement = f"SELECT 1 FROM {text}"  # noqa: S608 - parsed here, never sent anywhere
    tree = _parsed(text, statement, len("SELECT 1 FROM "))
    if tree.args.get("where") or tree.args.get("group") or tree.args.get("order"):
        raise ExpressionError("FROM holds tables and joins only", "use where", 0, "RV210")
    for table in tree.find_all(exp.Unnest, exp.Subquery, exp.Lateral):
        raise ExpressionError(
            f"{type(table).__name__.lower()} in from is not supported yet", "", 0, "RV209"
        )
    for join in tree.args.get("joins") or ():
        side, kind = join.side, join.kind
        if side not in ("", "LEFT") or kind not in ("", "INNER", "CROSS", "OUTER"):
            raise ExpressionError(f"{side or kind} JOIN is not allowed", "INNER, LEFT or CROSS")
        if kind != "CROSS" and join.args.get("on") is None:
            raise ExpressionError("a JOIN needs ON", "write JOIN t ON …", 0, "RV210")
        if join.args.get("on") is not None:
            _check(join.args["on"], text, _ALLOWED)
    tree.set("expressions", [])
    return tree


def _parsed(text: str, statement: str, shift: int) -> exp.Select:
    if len(text) > LONGEST:
        raise ExpressionError(f"longer than {LONGEST} characters", code="RV204")
    if not text.strip():
        raise ExpressionError("empty", "write an expression", code="RV210")
    depth = deepest = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    if deepest > DEEPEST or text.upper().count("CASE") > DEEPEST or text.upper().count("NOT") > 200:
        raise ExpressionError(f"nested deeper than {DEEPEST}", code="RV204")
    if "--" in text or "/*" in text or ";" in text or "\x00" in text:
        raise ExpressionError("comments and semicolons are not allowed", code="RV210")
    try:
        trees = sqlglot.parse(statement, dialect="postgres")
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        offset = max(0, (details[0].get("col") or shift) - shift - 1)
        raise ExpressionError(
            "cannot be read as SQL", "", min(offset, len(text)), "RV210"
        ) from None
    except Exception:  # noqa: BLE001 - the parser raises IndexError and others on odd text
        raise ExpressionError("cannot be read as SQL", code="RV210") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        raise ExpressionError("cannot be read as SQL", code="RV210")
    return trees[0]


def _check(node: exp.Expr, text: str, allowed: frozenset[type[exp.Expr]]) -> None:
    for count, part in enumerate(node.walk()):
        if count > MOST_NODES:
            raise ExpressionError("too large", code="RV204")
        if isinstance(part, exp.Anonymous):
            name = str(part.this).lower()
            if name not in OWN_FUNCTIONS:
                raise ExpressionError(
                    f"unknown function {name}",
                    did_you_mean(name, OWN_FUNCTIONS),
                    max(0, text.lower().find(name)),
                    "RV212",
                )
        elif type(part) not in allowed:
            name = type(part).__name__
            at = text.lower().find(part.name.lower()) if part.name else 0
            raise ExpressionError(f"{name} is not allowed here", "", max(0, at), "RV211")


def offset_of(node: exp.Expr, text: str) -> int:
    """Returns where a column or function stands in the text it was parsed from."""
    name = node.sql(dialect="postgres")
    at = text.lower().find(name.lower())
    if at < 0 and node.name:
        at = text.lower().find(node.name.lower())
    return max(0, at)
