"""Decides which functions with plain calls a question may use: one row each, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from roundview_federation.dialect.aggregates import NAMED
from roundview_federation.dialect.functions_array import ARRAY_FUNCTIONS
from roundview_federation.dialect.functions_number import NUMBER_FUNCTIONS
from roundview_federation.dialect.functions_text import ANY_FUNCTIONS, TEXT_FUNCTIONS
from roundview_federation.dialect.functions_time import TIME_FUNCTIONS
from roundview_federation.dialect.grouping import MISSING_AGGREGATES
from roundview_federation.dialect.refusal import FUNCTION, refuse, unsupported
from roundview_federation.dialect.signatures import chosen
from roundview_federation.dialect.values import Value

_FORMS = {**TEXT_FUNCTIONS, **NUMBER_FUNCTIONS, **TIME_FUNCTIONS}
# PostgreSQL has these and Roundview does not.
_MISSING = (
    frozenset(
        [
            "age",
            "array_position",
            "format",
            "generate_series",
            "initcap",
            "json_build_object",
            "jsonb_build_object",
            "justify_days",
            "justify_hours",
            "justify_interval",
            "lcm",
            "make_interval",
            "make_time",
            "make_timestamp",
            "make_timestamptz",
            "normalize",
            "num_nonnulls",
            "num_nulls",
            "pg_typeof",
            "quote_ident",
            "quote_literal",
            "quote_nullable",
            "random",
            "regexp_count",
            "regexp_match",
            "regexp_matches",
            "regexp_split_to_array",
            "regexp_substr",
            "scale",
            "sha256",
            "timezone",
            "to_date",
            "to_number",
            "to_timestamp",
            "trim_scale",
            "unaccent",
            "width_bucket",
            "json_agg",
            "jsonb_agg",
            "json_object_agg",
            "jsonb_object_agg",
            "range_agg",
            "xmlagg",
        ]
    )
    | MISSING_AGGREGATES
)
# These are answered in other places.
_OTHERS = ("now", "row", *NAMED)

# The names in capitals: their calls are kept as they are written.
NAMES: frozenset[str] = frozenset(
    name.upper() for name in (*_FORMS, *ANY_FUNCTIONS, *ARRAY_FUNCTIONS, *_OTHERS, *_MISSING)
)


def called(name: str, values: Sequence[Value], source: exp.Expr) -> Value:
    """Returns the value of a call; raises RequestError 42883 for what is not listed."""
    render = ANY_FUNCTIONS.get(name) or ARRAY_FUNCTIONS.get(name)
    if render is not None and values:
        return render(values, source)
    forms = _FORMS.get(name)
    if forms is None and name in _MISSING:
        raise unsupported(f"the function {name}", source)
    if forms is None:
        raise refuse(FUNCTION, f"there is no function {name}", source)
    return chosen(name, forms, values, source)
