"""Decides how MySQL groups: by all of a text, and not along an index that lacks columns."""

from __future__ import annotations

from sqlglot import exp

from roundview_federation.connectors.mysql.layout import NativeColumn
from roundview_federation.connectors.statement import Scope

_MOST_COMPARED = 1_024
_WIDEST_CHARACTER = 4


def is_short(column: NativeColumn) -> bool:
    """Tells whether GROUP BY compares all of a text: max_sort_length bytes, 1,024 by default.

    https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables
    """
    return column.length is not None and column.length * _WIDEST_CHARACTER <= _MOST_COMPARED


def digest(whole: exp.Expr) -> exp.Expr:
    """Returns what stands for all bytes of a long text; NULL for NULL."""
    return exp.Anonymous(this="SHA2", expressions=[whole, exp.Literal.number(256)])


def without_walk(tree: exp.Select, scope: Scope) -> None:
    """Forbids indexes to a grouping of one whole table that none of them covers; in place.

    The optimizer walks an index that begins with a grouped column, and fetches every row by its
    place: many times slower than a scan into a table of groups.
    """
    table = tree.args["from_"].this
    if not isinstance(table, exp.Table) or tree.args.get("where") or tree.args.get("joins"):
        return
    declared = scope.tables[table.alias_or_name]
    used = {column.name for column in tree.find_all(exp.Column)}
    grouped = {one.name for one in tree.args["group"].find_all(exp.Column)}
    # InnoDB keeps the primary key in every index.
    own = set(declared.primary_key)
    indexes = (*declared.indexes, *declared.unique, declared.primary_key)
    is_covered = any(used <= own | set(index) for index in indexes if index != declared.primary_key)
    if is_covered or not any(index and index[0] in grouped for index in indexes):
        return
    table.set("hints", [exp.IndexTableHint(this="USE", expressions=[])])
