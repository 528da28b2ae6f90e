"""Leaves to sources what they apply exactly: such a condition is not computed again.

Every row that a read brings fulfils it, so wherever it is asked of such a row it is TRUE, and
columns that nothing else speaks of need not come. It is not TRUE of the NULLs that an outer join
makes up: there it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from roundview_catalog.expressions import conjuncts
from roundview_federation.rewrite.query.reads import Reading
from roundview_federation.rewrite.query.sources import Read, text_of

IsExact = Callable[[Read, exp.Expr], bool]
"""Tells whether all sources of a read apply a condition over its columns exactly."""


def spare(reading: Reading, is_exact: IsExact) -> None:
    """Takes conditions out of a reading's residual, and columns out of its reads; in place."""
    if any(is_merging(join) for join in reading.residual.find_all(exp.Join)):
        return
    hopes: list[_Asked] = []
    known = {one.name: {text_of(tree) for tree in one.where} for one in reading.reads.values()}
    for select in reading.residual.find_all(exp.Select):
        hopes += [
            asked
            for asked in _asked(select, reading)
            if text_of(asked.bare) in known[asked.read.name]
        ]
    told = _told(reading)
    needed = _needed(reading, without={id(asked.tree) for asked in hopes})
    dropped: dict[int, tuple[exp.Expr, set[int]]] = {}
    for asked in hopes:
        one = asked.read
        # A condition whose columns come all the same costs nothing where it is.
        if asked.names & (needed.get(one.name, set()) | told.get(one.name, set())):
            continue
        if is_exact(one, asked.bare):
            dropped.setdefault(id(asked.place), (asked.place, set()))[1].add(id(asked.tree))
            one.spared |= asked.names
    for place, trees in dropped.values():
        drop_conjuncts(place, trees)
    needed = _needed(reading, without=set())
    for one in reading.reads.values():
        one.spared -= needed.get(one.name, set()) | told.get(one.name, set())
        one.columns = {name: None for name in one.columns if name not in one.spared}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A condition on one read, asked in `place` where its rows are real; `bare` is over columns."""

    place: exp.Expr
    tree: exp.Expr
    bare: exp.Expr
    read: Read

    @property
    def names(self) -> set[str]:
        return {column.name for column in self.bare.find_all(exp.Column)}


def optional_aliases(select: exp.Select) -> Iterator[tuple[exp.Join | None, frozenset[str]]]:
    """Yields each join with the aliases whose rows may be made up before it; None at the end."""
    source = select.args.get("from_")
    before = {source.this.alias_or_name} if source is not None else set()
    optional: set[str] = set()
    for join in select.args.get("joins") or ():
        yield join, frozenset(optional)
        alias = join.this.alias_or_name
        if join.side in ("RIGHT", "FULL"):
            optional |= before
        if join.side in ("LEFT", "FULL"):
            optional.add(alias)
        before.add(alias)
    yield None, frozenset(optional)


def is_flat(select: exp.Select) -> bool:
    """Tells whether a SELECT joins its sources one after the other, by conditions."""
    source = select.args.get("from_")
    joins = select.args.get("joins") or []
    if source is None or any(is_merging(join) for join in joins):
        return False
    places = [source.this, *(join.this for join in joins)]
    return all(
        (isinstance(one, exp.Table) or isinstance(one.this, exp.Query))
        and not one.args.get("joins")
        for one in places
    )


def is_merging(join: exp.Join) -> bool:
    """Tells whether a join makes one column of two: USING, NATURAL."""
    return bool(join.args.get("using") or join.args.get("method"))


def drop_conjuncts(place: exp.Expr, trees: set[int]) -> None:
    """Takes conjuncts, by their identity, out of a WHERE or ON."""
    name = "this" if isinstance(place, exp.Where) else "on"
    kept = [one.copy() for one in conjuncts(place.args[name]) if id(one) not in trees]
    if kept:
        place.set(name, exp.and_(*kept, copy=False))
    elif isinstance(place, exp.Where):
        place.pop()
    else:
        place.set("on", exp.true())


def _asked(select: exp.Select, reading: Reading) -> Iterator[_Asked]:
    if not is_flat(select):
        return
    places = [select.args["from_"].this, *(j.this for j in select.args.get("joins") or ())]
    tables = {one.alias_or_name: one.name for one in places if isinstance(one, exp.Table)}
    for join, optional in optional_aliases(select):
        place = join if join is not None else select.args.get("where")
        tree = None if place is None else place.args.get("on" if join is not None else "this")
        if place is None or tree is None:
            continue
        for conjunct in conjuncts(tree):
            aliases = {column.table for column in conjunct.find_all(exp.Column)}
            if len(aliases) != 1 or conjunct.find(exp.Query) is not None:
                continue
            (alias,) = aliases
            one = reading.reads.get(tables.get(alias, ""))
            if one is not None and alias not in optional:
                yield _Asked(place, conjunct, _bare(conjunct), one)


def _bare(tree: exp.Expr) -> exp.Expr:
    result = tree.copy()
    for column in list(result.find_all(exp.Column)):
        if column is result:
            return exp.column(column.name)
        column.replace(exp.column(column.name))
    return result


def _needed(reading: Reading, without: set[int]) -> dict[str, set[str]]:
    """Returns the columns of each read that a residual speaks of, outside of some conditions."""
    aliases: dict[str, set[str]] = {}
    for table in reading.residual.find_all(exp.Table):
        if table.name in reading.reads:
            aliases.setdefault(table.alias_or_name, set()).add(table.name)
    found: dict[str, set[str]] = {}
    for column in reading.residual.find_all(exp.Column):
        above: exp.Expr | None = column
        while above is not None and id(above) not in without:
            above = above.parent
        if above is None:
            for name in aliases.get(column.table, ()):
                found.setdefault(name, set()).add(column.name)
    return found


def _told(reading: Reading) -> dict[str, set[str]]:
    """Returns the columns by which reads wait for others, on both sides."""
    found: dict[str, set[str]] = {}
    for one in reading.reads.values():
        for bind in one.binds:
            for name, column in ((one.name, bind.column), *bind.of):
                found.setdefault(name, set()).add(column)
    return found
