"""Shows what the passes over whole questions make of them: one golden file per pass.

A golden file of `tests/golden/rewrite` is a list of cases: a title, a question, and below
`-- becomes` what the pass makes of it. A case is added by its title and question; the rest is
written by --update-golden, and read by whoever adds it: a wrong restriction is a wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.loader import load
from roundview_catalog.model import COMMON_FIELDS, Catalog
from roundview_catalog.types import Kind, Type, parse_type
from roundview_federation.connectors.mysql.connector import MysqlConnector
from roundview_federation.connectors.port import Capabilities
from roundview_federation.connectors.postgres.connector import PostgresConnector
from roundview_federation.connectors.sqlite.connector import SqliteConnector
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.names import resolve
from roundview_federation.key_sets import keyset_of
from roundview_federation.plan import Section
from roundview_federation.planner import Planner
from roundview_federation.request import Decision
from roundview_federation.rewrite import PASSES
from roundview_federation.rewrite.arrive import arrive
from roundview_federation.rewrite.context import RewriteContext
from roundview_federation.rewrite.learn import learn
from roundview_federation.rewrite.narrow import Narrowed, judged, narrow, turned
from roundview_federation.rewrite.push import push
from roundview_federation.rewrite.query.conditions import Plain, plain
from roundview_federation.rewrite.query.folds import foldings
from roundview_federation.rewrite.query.merge import merge
from roundview_federation.rewrite.query.reads import Reading, read
from roundview_federation.rewrite.query.sources import Read
from roundview_federation.rewrite.query.spare import spare
from roundview_federation.rewrite.unfold import Asked, KnownRows, asked_of, unfold
from roundview_federation.sql.planning import plan_query
from roundview_federation.sql.relations import visible

GOLDEN = Path(__file__).parents[1] / "golden/rewrite"
CAPABILITIES: dict[str, Capabilities] = {
    "mysql": MysqlConnector.capabilities,
    "postgres": PostgresConnector.capabilities,
    "sqlite": SqliteConnector.capabilities,
}
TABLES = {
    "a": {"id": "bigint", "x": "integer", "y": "integer", "t": "text", "d": "date"},
    "b": {"id": "bigint", "a_id": "bigint", "x": "integer", "t": "text", "at": "timestamptz"},
    "c": {"id": "bigint", "b_id": "bigint", "x": "integer", "n": "decimal(12,2)", "ok": "boolean"},
}
SCHEMA = {
    name: {
        **{column: parse_type(text) for column, text in columns.items()},
        **{column: COMMON_FIELDS[column] for column in ("source", "source_key", "slot")},
    }
    for name, columns in TABLES.items()
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load(GOLDEN / "shop")


def test_reads(golden: Callable[[Path, str], None]) -> None:
    def made(text: str) -> Iterator[str]:
        reading = _reading(text)
        yield from (f"-- {_place(one)}({', '.join(one.columns)})" for one in _sorted(reading))
        yield reading.residual.sql(dialect="postgres")

    _check(golden, "reads", made)


def test_restrict(golden: Callable[[Path, str], None]) -> None:
    def made(text: str) -> Iterator[str]:
        return (f"-- {_restricted(one)}" for one in _sorted(_reading(text)))

    _check(golden, "restrict", made)


def test_merge(golden: Callable[[Path, str], None]) -> None:
    def made(text: str) -> Iterator[str]:
        reading = merge(_reading(text))
        yield from (f"-- {_restricted(one)}" for one in _sorted(reading))
        yield reading.residual.sql(dialect="postgres")

    _check(golden, "merge", made)


def test_spare(golden: Callable[[Path, str], None]) -> None:
    """Every source of these applies every condition exactly."""

    def made(text: str) -> Iterator[str]:
        reading = merge(_reading(text))
        spare(reading, lambda one, tree: True)
        yield from (f"-- {_place(one)}({', '.join(one.columns)})" for one in _sorted(reading))
        yield reading.residual.sql(dialect="postgres")

    _check(golden, "spare", made)


def test_folds(golden: Callable[[Path, str], None]) -> None:
    """The first read that may be folded is."""

    def made(text: str) -> Iterator[str]:
        reading = merge(_reading(text))
        types = {
            name: {column: SCHEMA[one.relation][column] for column in one.columns}
            for name, one in reading.reads.items()
        }
        found = list(foldings(reading, types))
        for one in found:
            partials = ", ".join(f"{p.kind}({p.column or '*'})" for p in one.partials)
            yield f"-- {_place(one.read)} by ({', '.join(one.keys)}): {partials}"
        if found:
            found[0].apply()
            yield reading.residual.sql(dialect="postgres")
        else:
            yield "-- nothing is folded"

    _check(golden, "folds", made)


def test_conditions(golden: Callable[[Path, str], None]) -> None:
    types = {name: type_ for columns in SCHEMA.values() for name, type_ in columns.items()}

    def made(text: str) -> Iterator[str]:
        found = plain(_bare(resolve(gate(text), SCHEMA)), types)
        yield from (f"-- {_valued(tree, found)}" for tree in found.trees)
        yield f"-- which is {'all' if found.is_whole else 'not all'} that is said"

    _check(golden, "conditions", made)


@pytest.mark.parametrize("name", ["narrow", "invert"])
def test_narrow(name: str, catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    def made(text: str) -> Iterator[str]:
        tree = sqlglot.parse_one(text, read="postgres")
        (table,) = tree.find_all(exp.Table)
        entity = table.name
        types = catalog.canonical.entities[entity].types
        conjuncts = _bare(tree)
        keys = [one for one in conjuncts if isinstance(one.args.get("expression"), exp.Any)]
        found = plain([one for one in conjuncts if one not in keys], types)
        for key in keys:
            for place in key.find_all(exp.Any):
                place.set("this", place.this.unnest())
        masks = {("item", "label"): expressions.parse("left(label, 1)")}
        decision = _everything(catalog, masks if "masked" in text else {})
        section = Section(
            "asked",
            entity,
            exp.select("*").from_(entity).where(*found.trees, *keys),
            "",
            narrows=True,
            values=found.values,
        )
        section.tree.set("expressions", [exp.column("source_key")])
        whole = section.tree
        for rewrite in PASSES:
            whole = rewrite(whole, RewriteContext(catalog.canonical, decision, section))
        for branch in catalog.branches(entity):
            capabilities = CAPABILITIES[catalog.sources[branch.source].connector]
            unfoldings = unfold(
                asked_of(whole), branch, catalog, ("source_key",), joins=capabilities.joins
            )
            for one in unfoldings:
                conditions = turned(one, frozenset(section.values), capabilities)
                verdicts = judged(conditions, section.values)
                narrowed = None if verdicts is None else narrow(conditions, verdicts, {})
                yield f"-- {branch.id}: {_asked(narrowed)}"

    _check(golden, name, made)


def test_strategy(catalog: Catalog, golden: Callable[[Path, str], None]) -> None:
    def made(text: str) -> Iterator[str]:
        planner = Planner(catalog, {})
        schema = visible(catalog, _everything(catalog))
        planned = plan_query(text, planner, schema, allow_scan=True)
        for name, one in planned.reads.items():
            by = f"by {one.choice.bind.column}" if one.choice.bind is not None else "alone"
            yield f"-- {name} {one.read.relation} {by}: {one.choice.why}"

    _check(golden, "strategy", made)


def _check(
    golden: Callable[[Path, str], None], name: str, made: Callable[[str], Iterator[str]]
) -> None:
    """Makes every case of a file anew and compares it with what the file says."""
    path = GOLDEN / f"{name}.sql"
    texts = []
    for case in path.read_text(encoding="utf-8").strip().split("\n\n"):
        question, _, _ = case.partition("\n-- becomes")
        sql = "\n".join(line for line in question.splitlines() if not line.startswith("--"))
        texts.append("\n".join((question, "-- becomes", *made(sql))) + "\n")
    assert len(texts) > 1
    golden(path, "\n".join(texts))


def _reading(text: str) -> Reading:
    return read(resolve(gate(text), SCHEMA), SCHEMA)


def _sorted(reading: Reading) -> list[Read]:
    return [reading.reads[name] for name in sorted(reading.reads)]


def _place(one: Read) -> str:
    return f"{one.name} {one.relation}{list(one.arguments) or ''}"


def _restricted(one: Read) -> str:
    where = [tree.sql(dialect="postgres") for tree in one.where]
    binds = [
        f"{bind.column} in {' + '.join(f'{name}.{column}' for name, column in bind.of)}"
        for bind in one.binds
    ]
    return f"{_place(one)}: {'; '.join([*where, *binds]) or 'all rows'}"


def _bare(tree: exp.Expr) -> list[exp.Expr]:
    for column in tree.find_all(exp.Column):
        column.set("table", None)
    return [conjunct.copy() for conjunct in expressions.conjuncts(tree.args["where"].this)]


def _valued(tree: exp.Expr, found: Plain) -> str:
    keyset = keyset_of(tree)
    if keyset is not None:
        return f"{tree.this.name} in {found.values[keyset[1]]!r}"
    value = found.values[tree.expression.name]
    return tree.sql(dialect="postgres").replace(f"%({tree.expression.name})s", repr(value))


def _asked(narrowed: Narrowed | None) -> str:
    if narrowed is None:
        return "not asked"
    said = []
    for condition in narrowed.conditions:
        shown = condition.copy()
        for place in list(shown.find_all(exp.Placeholder)):
            place.replace(exp.convert(str(narrowed.constants[place.name])))
        said.append(shown.sql(dialect="postgres"))
    for keyed in narrowed.keys:
        columns = ", ".join(column.sql() for column in keyed.bound.columns)
        types = ", ".join(str(type_) for type_ in keyed.bound.types)
        before = "".join(f" after {prefix!r}" for prefix in keyed.bound.prefixes if prefix)
        said.append(f"by keys: {columns} ({types}){before}")
    return "; ".join(said) or "all rows"


def _everything(catalog: Catalog, masks: dict[tuple[str, str], exp.Expr] | None = None) -> Decision:
    entities = catalog.canonical.entities
    fields = {name: frozenset(entity.types) for name, entity in entities.items()}
    return Decision("test", "", fields, {}, masks or {}, frozenset(), {})


@pytest.mark.parametrize(("kind", "is_exact"), [(Kind.BIGINT, True), (Kind.INTEGER, False)])
def test_a_range_is_exact_where_the_field_holds_every_number(
    kind: Kind, is_exact: bool, catalog: Catalog
) -> None:
    where = exp.GT(this=exp.column("ident"), expression=exp.Placeholder(this="v0"))
    branch = next(one for one in catalog.branches("item") if one.source == "store")
    asked = Asked({}, None, where)
    (unfolded,) = unfold(asked, branch, catalog, ("source_key",), joins=True)
    entity = unfolded.entity
    fields = {**entity.fields, "ident": replace(entity.fields["ident"], type=Type(kind))}
    typed = replace(unfolded, entity=replace(entity, fields=fields))
    conditions = turned(typed, frozenset({"v0"}), CAPABILITIES["postgres"])
    verdicts = judged(conditions, {"v0": 3})
    assert verdicts is not None
    assert narrow(conditions, verdicts, {}).is_exact is is_exact


def test_every_field_is_known_ahead(catalog: Catalog) -> None:
    known: KnownRows = {}
    able = {name: CAPABILITIES[one.connector] for name, one in catalog.sources.items()}
    learn(catalog, able, known)
    branches = [one for source in catalog.sources.values() for one in source.branches]
    assert {name for name, _ in known} == {one.id for one in branches}
    for branch in branches:
        inputs = known[(branch.id, able[branch.source].joins)].inputs
        if not branch.lists and not branch.children:
            names = {(slot, name) for slot, fields in branch.slots.items() for name in fields}
            assert names <= {(slot, name) for slot, name, _ in inputs}, branch.id


@pytest.mark.parametrize("is_headless", [True, False])
def test_what_is_known_of_fields_asks_for_the_same_columns(
    is_headless: bool, catalog: Catalog
) -> None:
    known: KnownRows = {}
    asked = Asked({}, None, None)
    found = 0
    for entity in catalog.canonical.entities.values():
        for branch in catalog.branches(entity.name):
            capabilities = CAPABILITIES[catalog.sources[branch.source].connector]
            made = []
            for rows in (None, known, known):
                columns: list[list[str]] = []
                for one in unfold(
                    asked, branch, catalog, tuple(entity.types), joins=True, known=rows
                ):
                    unfolded = one if rows is not None else replace(one, rows=None)
                    pushed = push(unfolded, None, capabilities, {}, row_cap=1)
                    arrive(unfolded, pushed, "rows", is_headless=is_headless)
                    columns.append(list(pushed.draft.columns))
                made.append(columns)
            assert made[1] == made[2] == made[0], branch.id
            found += len(made[0])
    assert found
    assert any(rows.inputs for rows in known.values())
