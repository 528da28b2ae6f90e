"""Asks in many ways what an asker may not know: hidden, masked and absent are told alike."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.federation.conftest import World
from tests.federation.ruled import RuledEstate, principal

from roundview_catalog.errors import RoundviewError
from roundview_federation.plan import Identifier
from roundview_federation.request import Principal, Request
from roundview_federation.whole import LOOKUP

HIDDEN = (
    ("careful", "individual", "gender"),
    ("careful", "consent", "topic"),
    ("careful", "consent", "captured_at"),
    ("partly", "sales_order", "status"),
    ("narrow", "sales_order", "grand_total"),
)
"""Columns that a role does not have."""

MASKED = (
    ("individual", "family_name"),
    ("individual", "full_name"),
    ("contact_point_email", "email_address"),
)
"""Columns of which careful sees a part, with what nobody's mask shows."""

ABSENT = "never_declared"

# Each is asked with a hidden column and with one that was never declared.
SHAPES = (
    "SELECT {c} FROM {e}", "SELECT e.{c} FROM {e} e", "SELECT count({c}) FROM {e}",
    "SELECT max({c}) FROM {e}", "SELECT 1 FROM {e} WHERE {c} IS NULL",
    "SELECT 1 FROM {e} WHERE {c} = 'x'", "SELECT 1 FROM {e} WHERE {c} LIKE 'a%'",
    "SELECT 1 FROM {e} WHERE length({c}::text) > 1", "SELECT 1 FROM {e} ORDER BY {c}",
    "SELECT 1 FROM {e} GROUP BY {c}", "SELECT count(*) FROM {e} GROUP BY 1 HAVING max({c}) > 'a'",
    "SELECT 1 FROM {e} a JOIN {e} b ON a.{c} = b.{c}", "SELECT 1 FROM {e} a JOIN {e} b USING ({c})",
    "SELECT (SELECT {c} FROM {e} LIMIT 1)", "SELECT 1 WHERE EXISTS (SELECT 1 FROM {e} WHERE {c} = '')",
    "SELECT 1 FROM {e} WHERE source_key IN (SELECT {c} FROM {e})",
    "WITH t AS (SELECT {c} FROM {e}) SELECT * FROM t", "SELECT row_number() OVER (ORDER BY {c}) FROM {e}",
    "SELECT CASE WHEN {c} IS NULL THEN 1 END FROM {e}", "SELECT coalesce({c}::text, '') FROM {e}",
    "SELECT DISTINCT ON ({c}) 1 FROM {e}", "SELECT 1 FROM {e} WHERE 1 / length({c}::text) = 1",
    "SELECT CAST({c} AS integer) FROM {e}", "SELECT sum(1) FILTER (WHERE {c} IS NULL) FROM {e}",
    "SELECT string_agg({c}::text, ',') FROM {e}", "SELECT * FROM (SELECT 1, {c} FROM {e}) t",
    "SELECT {c} FROM {e} UNION ALL SELECT 'x'", "SELECT 1 FROM {e} WHERE ({c}, 1) = ('x', 1)",
    "SELECT 1 FROM {e} LIMIT (SELECT count({c}) FROM {e})", "VALUES ((SELECT max({c}) FROM {e}))",
)  # fmt: skip

# Each would fail, or tell, where it saw a value instead of its mask.
PROBES = (
    "SELECT count(*) FROM {e} WHERE {c} = '{v}'", "SELECT count(*) FROM {e} WHERE {c} LIKE '{v}%'",
    "SELECT count(*) FROM {e} WHERE {c} >= '{v}' AND {c} <= '{v}'",
    "SELECT count(*) FROM {e} WHERE lower({c}) = lower('{v}')",
    "SELECT count(*) FROM {e} WHERE length({c}) = {n} AND strpos({c}, '{v}') > 0",
    "SELECT count(*) FROM {e} WHERE {c} IN ('{v}', 'x')",
    "SELECT count(*) FROM {e} a JOIN (VALUES ('{v}')) b (x) ON a.{c} = b.x",
    "SELECT count(*) FROM {e} WHERE CASE WHEN {c} = '{v}' THEN 1 / 0 ELSE 1 END = 0",
    "SELECT count(*) FROM {e} WHERE CASE WHEN {c} = '{v}' THEN CAST('x' AS integer) ELSE 1 END = 0",
    "SELECT count(*) FROM (SELECT {c} FROM {e} GROUP BY {c} HAVING {c} = '{v}') t",
    "SELECT count(*) FROM (SELECT max({c}) OVER () AS m FROM {e}) t WHERE m = '{v}'",
    "SELECT count(*) FROM {e} WHERE {c} = ANY (ARRAY['{v}'])",
    "SELECT count(*) FROM {e} WHERE replace({c}, '{v}', '') = ''",
    "SELECT count(*) FROM {e} WHERE customer_id IN (SELECT customer_id FROM {e} WHERE {c} = '{v}')",
)  # fmt: skip


async def told(ruled: RuledEstate, who: Principal, text: str) -> tuple[Any, ...]:
    """Returns all that an asker can see of an answer: its rows, or its error."""
    request = Request(who, timeout_seconds=30, allow_scan=True)
    try:
        result = await ruled.federation.sql(text, request)
        table = await result.table()
    except RoundviewError as error:
        known = {k: v for k, v in error.extensions.items() if k != "position"}
        return error.code, error.message, error.hint, sorted(known.items())
    return "rows", table.to_pydict()


async def test_hidden_and_absent_columns_are_told_alike(ruled: RuledEstate) -> None:
    for (role, entity, column), shape in itertools.product(HIDDEN, SHAPES):
        who = principal((role,))
        hidden = await told(ruled, who, shape.format(e=entity, c=column))
        absent = await told(ruled, who, shape.format(e=entity, c=ABSENT))
        assert hidden[0] != "rows", shape
        # Suggestions come from what is visible: another name may be near to another.
        assert _without(hidden, column) == _without(absent, ABSENT), (shape, column)


async def test_explanations_of_hidden_and_absent_columns_are_alike(ruled: RuledEstate) -> None:
    for role, entity, column in HIDDEN:
        request = Request(principal((role,)), timeout_seconds=30)
        outcomes = []
        for name in (column, ABSENT):
            with pytest.raises(RoundviewError) as caught:
                await ruled.federation.explain_sql(f"SELECT {name} FROM {entity}", request)
            outcomes.append((caught.value.code, caught.value.message.replace(name, "?")))
        assert outcomes[0] == outcomes[1]


async def test_no_probe_sees_below_a_mask(ruled: RuledEstate) -> None:
    who = principal(("careful",))
    for entity, column in MASKED:
        values = [str(v) for v in ruled.naive.values(entity, column) if "'" not in str(v)]
        for value in (values[0], values[len(values) // 2], values[-1]):
            for probe in PROBES:
                right = probe.format(e=entity, c=column, v=value, n=len(value))
                wrong = probe.format(e=entity, c=column, v=value[:-1] + "~", n=len(value))
                assert await told(ruled, who, right) == await told(ruled, who, wrong), probe


async def test_no_probe_sees_below_a_row_filter(ruled: RuledEstate) -> None:
    """Expressions that fail on a hidden row, and only there, do not fail."""
    who = principal(("narrow",))
    shown = {"open", "click"}
    kinds = set(ruled.naive.values("engagement", "type"))
    assert kinds & shown
    assert kinds - shown
    for kind in sorted(kinds):
        case = f"CASE WHEN type = '{kind}' THEN 0 ELSE 1 END"
        for condition in (f"1 / ({case}) = 7", f"CAST(left('1x', 2 - ({case})) AS integer) = 7"):
            text = f"SELECT count(*) FROM engagement WHERE {condition}"
            found = await told(ruled, who, text)
            assert (found[0] != "rows") == (kind in shown), text


async def test_an_unknown_and_a_forbidden_customer_are_alike(
    world: World, ruled: RuledEstate
) -> None:
    """Who sees no row of a person is told what they are told of nobody, by as many calls."""
    federation = ruled.federation
    nothing = Principal("test", ("nothing",), {}, ("service",), "service")
    outcomes = []
    for number in (world.heroine["phone"][0], "+491700000000"):
        request = Request(nothing, timeout_seconds=20)
        try:
            question, result = await federation.customer(Identifier("phone", number), request)
        except RoundviewError as error:
            outcomes.append((error.code, error.message, error.hint))
            continue
        found = result.found[LOOKUP][0].error
        outcomes.append((len(question.sections), result.outputs, str(found)))
    assert outcomes[0] == outcomes[1]


def _without(outcome: tuple[Any, ...], name: str) -> tuple[str, str]:
    return str(outcome[0]), str(outcome[1]).replace(name, "?")
