"""Hands what the rows of one read must match on to the reads that must match it.

Where rows matter only by a column of a read that itself waits for the values of a third, they can
wait for the third: one round less, and a read that brings little may serve many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from roundview_federation.rewrite.query.sources import Bind, Read, text_of

_CUSTOMER = "customer_id"


def hand_on(reads: Mapping[str, Read]) -> None:
    """Adds to the reads what follows from those that they wait for."""
    is_new = True
    while is_new:
        is_new = False
        for one in reads.values():
            for bind, other, column in list(_waits(one, reads)):
                for theirs in other.binds:
                    made = Bind(bind.column, theirs.of)
                    is_own = any(name == one.name for name, _ in theirs.of)
                    if theirs.column == column and not is_own and made not in one.binds:
                        # Before the others: of equally many keys, those that are there first.
                        one.binds.insert(0, made)
                        is_new = True
                if bind.column == column == _CUSTOMER:
                    is_new |= _add(one, other)


def _waits(one: Read, reads: Mapping[str, Read]) -> Iterator[tuple[Bind, Read, str]]:
    for bind in one.binds:
        if len(bind.of) == 1:
            ((name, column),) = bind.of
            yield bind, reads[name], column


def _add(one: Read, other: Read) -> bool:
    """Adds conditions on the customer of another read; tells whether there are new ones."""
    names = {text_of(t): t for t in other.where if _is_of_customer(t)}
    if not names:
        return False
    known = {text_of(tree) for tree in one.where}
    missing = [tree.copy() for text, tree in names.items() if text not in known]
    one.where += missing
    return bool(missing)


def _is_of_customer(tree: exp.Expr) -> bool:
    return all(column.name == _CUSTOMER for column in tree.find_all(exp.Column))
