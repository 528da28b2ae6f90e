"""Decides whether a statement is about the catalog of PostgreSQL, and about nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from roundview_sql.metadata.binding.calls import call_of
from roundview_sql.metadata.binding.session_calls import NAMES_OF_SESSION
from roundview_sql.metadata.binding.typed import folded
from roundview_sql.metadata.reference import CATALOG, INFORMATION, Reference

_REGISTERED = frozenset(
    ["regclass", "regtype", "regproc", "regnamespace", "regrole", "regprocedure", "oid", "name"]
)
_OF_CATALOG = ("pg_", "has_", "to_reg", "obj_description", "col_description", "shobj_description",
               "format_type", "quote_", "parse_ident", "inet_", "txid_", "getdatabaseencoding",
               "_pg_", "aclexplode", "acldefault", "row_security_active")  # fmt: skip


def is_about_catalog(tree: exp.Expr, reference: Reference) -> bool:
    """Tells whether a statement reads relations of the catalog only, or calls what is about it."""
    names = {folded(one.args["alias"].this) for one in tree.find_all(exp.CTE)}
    is_about = False
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue
        schema, name = folded(table.args["db"]) if table.args.get("db") else "", folded(table.this)
        if not schema and name in names:
            continue
        if schema not in ("", CATALOG, INFORMATION):
            return False
        # Names without a schema are looked for in pg_catalog first.
        if not schema and (CATALOG, name) not in reference.relations:
            return False
        is_about = True
    return is_about or any(_signs(tree))


def _signs(tree: exp.Expr) -> Iterator[bool]:
    for node in tree.walk():
        if isinstance(node, exp.Cast):
            yield _is_registered(node.args["to"])
        elif isinstance(node, exp.Column) and not node.args.get("table"):
            yield folded(node.this) in ("current_role", "user") and not node.this.args.get("quoted")
        elif isinstance(node, exp.Func):
            called = call_of(node)
            if called is not None:
                yield called.name in NAMES_OF_SESSION or called.name.startswith(_OF_CATALOG)


def _is_registered(to: exp.Expr) -> bool:
    if isinstance(to, exp.ObjectIdentifier):
        return True
    if not isinstance(to, exp.DataType) or to.this is not exp.DType.USERDEFINED:
        return False
    kind = to.args["kind"]
    parts = [kind] if isinstance(kind, str) else list(kind.find_all(exp.Identifier))
    return any(folded(one) in _REGISTERED for one in parts)
