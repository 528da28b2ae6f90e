"""Decides what the source computes and what is computed when its rows arrive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp

from roundview_catalog import expressions
from roundview_catalog.mapped import Child, FieldMapping
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Capabilities
from roundview_federation.key_sets import in_keys
from roundview_federation.plan import ChildRows, Fragment, KeySet, Page
from roundview_federation.rewrite.bounds import Bound
from roundview_federation.rewrite.unfold import POSTGRES, Input, Unfolded
from roundview_federation.top_rows import Top

_ORDERED = (Kind.INTEGER, Kind.BIGINT, Kind.TEXT, Kind.ENUM)
# SQLite and text files hold times as text of any form.
_DATED = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.DECIMAL)
_WITH_DATES = ("postgres", "mysql")


@dataclass(slots=True)
class FragmentDraft:
    """Collects what sections want of one scan of one source, so that equal scans merge."""

    id: str
    source: str
    base: exp.Select
    dialect: str
    keysets: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    is_scan: bool = False
    row_cap: int = 10_000
    columns: dict[str, tuple[int, exp.Expr, Type]] = field(default_factory=dict)
    children: dict[str, tuple[Child, dict[str, tuple[int, exp.Column]]]] = field(
        default_factory=dict
    )
    first_only: set[str] = field(default_factory=set)
    """children of which the source itself chooses the first row"""
    readers: int = 0
    tops: list[tuple[Top, Page]] = field(default_factory=list)
    """what readers that need only the first rows of each key say"""
    is_folded: bool = False
    """whether rows that are alike in all columns but the aggregates come as one"""

    def column(self, expr: exp.Expr, type_: Type) -> int:
        """Returns the position of an expression in the answer, adding it where it is new."""
        name = _text(expr)
        found = self.columns.get(name)
        if found is None:
            found = (len(self.columns), expr.copy(), type_)
            self.columns[name] = found
        return found[0]

    def add(self, inputs: tuple[Input, ...]) -> None:
        """Adds what is not in the answer yet."""
        for name, expr, type_ in inputs:
            if name not in self.columns:
                self.columns[name] = (len(self.columns), expr.copy(), type_)

    def sent(self, expr: exp.Expr) -> int | None:
        """Returns the position of an expression in the answer, None where it is not asked for."""
        found = self.columns.get(_text(expr))
        return None if found is None else found[0]

    def empty(self) -> FragmentDraft:
        """Returns a draft of the same scan of which nothing is wanted yet."""
        return replace(self, columns={}, children={}, first_only=set(), tops=[])

    def child_column(self, child: Child, column: exp.Column) -> int:
        """Returns the position of a child's column in the child's rows."""
        _, columns = self.children.setdefault(_identity(child), (child, {}))
        return columns.setdefault(_text(column), (len(columns), column))[0]

    def child_position(self, child: Child) -> int:
        """Returns the position of a child's rows, counted from the end of the answer's row."""
        return list(self.children).index(_identity(child)) - len(self.children)

    def top(self) -> Top | None:
        """Returns how the rows of each key are cut, None where anyone reads all of them."""
        if not self.tops or len(self.tops) < self.readers:
            return None
        first = self.tops[0][0]
        return first if all(top == first for top, _ in self.tops) else None

    def fragment(self) -> Fragment:
        """Returns the finished fragment, once: it takes the draft's trees."""
        tree = self.base
        shown = [
            exp.Alias(this=expr, alias=exp.to_identifier(f"c{at}"))
            for at, expr, _ in self.columns.values()
        ]
        tree.set("expressions", shown)
        if self.is_folded:
            alike = [expr for _, expr, _ in self.columns.values() if not is_folding(expr)]
            tree = tree.group_by(*(expr.copy() for expr in alike), copy=False) if alike else tree
        children: list[ChildRows] = []
        for identity, (child, columns) in self.children.items():
            select = child.scan.copy()
            select.set("expressions", [column.copy() for _, column in columns.values()])
            if identity in self.first_only:
                select = select.order_by(*(term.copy() for term in child.first), copy=False)
                select = select.limit(1, copy=False)
            taken = {known.alias for known in children}
            alias = f"{child.alias}_{len(children)}" if child.alias in taken else child.alias
            children.append(ChildRows(alias, select))
        return Fragment(
            id=self.id,
            source=self.source,
            tree=tree,
            types=tuple(type_ for _, _, type_ in self.columns.values()),
            keysets=self.keysets,
            params=self.params,
            children=tuple(children),
            row_cap=self.row_cap,
            is_scan=self.is_scan,
        )


def is_folding(expr: exp.Expr) -> bool:
    """Tells whether a column of a fragment is an aggregate of the rows that are made one."""
    return expr.find(exp.AggFunc) is not None


@dataclass(frozen=True, slots=True)
class Pushed:
    """A draft and what of the mapping's WHERE is left for arrival; `owner`: key column."""

    draft: FragmentDraft
    residual: tuple[exp.Expr, ...]
    bound: Bound | None


def push(
    unfolded: Unfolded,
    bound: Bound | None,
    capabilities: Capabilities,
    drafts: dict[str, FragmentDraft],
    *,
    keyset: KeySet | None = None,
    conditions: tuple[exp.Expr, ...] = (),
    params: tuple[str, ...] = (),
    row_cap: int | None = None,
) -> Pushed:
    """Adds one branch to the draft whose scan it shares and returns what is left to do.

    `conditions` are further conjuncts over source columns that must reach the source. With a
    `row_cap` of its own the fragment may read whatever its conditions let through.
    """
    where = unfolded.scan.args.get("where")
    pushed: list[exp.Expr] = []
    residual: list[exp.Expr] = []
    own = list(expressions.conjuncts(where.this)) if where else []
    for conjunct in (*own, *(bound.conditions if bound else ())):
        target = pushed if _goes(conjunct, unfolded, capabilities) else residual
        target.append(conjunct)
    rendered = [_render(c, unfolded, capabilities) for c in pushed]
    keysets: tuple[str, ...] = ()
    if bound is not None and keyset is not None:
        keysets = (keyset.name,)
        rendered.append(_keys(bound, keyset.name, unfolded, capabilities))
    rendered.extend(conditions)
    texts = [_condition_text(one) for one in rendered]
    bare, text = _base(unfolded)
    identity = " AND ".join((f"{unfolded.source.name}|{text}", *texts))
    draft = drafts.get(identity)
    if draft is None:
        base = bare.copy()
        if rendered:
            base.set("where", exp.Where(this=exp.and_(*rendered, copy=False)))
        is_scan = not keysets and (row_cap is not None or not conditions)
        limits = unfolded.source.limits
        draft = FragmentDraft(
            id=f"f{len(drafts)}",
            source=unfolded.source.name,
            base=base,
            dialect=capabilities.dialect,
            keysets=keysets,
            params=params,
            is_scan=is_scan,
            row_cap=row_cap or (limits.scan_rows if is_scan else limits.rows),
        )
        drafts[identity] = draft
    draft.readers += 1
    if capabilities.first_rows:
        draft.first_only |= {
            _identity(child)
            for child in unfolded.children.values()
            if child.first and _orders_alike(child, unfolded, capabilities.dialect)
        }
    return Pushed(draft, tuple(residual), bound)


def pushed_value(
    mapping: FieldMapping, unfolded: Unfolded, draft: FragmentDraft
) -> tuple[int, Type] | None:
    """Returns where the source's own value of a computed mapping arrives, if it may be pushed."""
    if isinstance(mapping.expr, exp.Column) or not draft.dialect:
        return None
    if unfolded.is_late(mapping.expr):
        return None
    if mapping.expr.find(exp.AggFunc) is not None:
        return None
    if not expressions.pushable(mapping.expr, draft.dialect, unfolded.column_type):
        return None
    if mapping.type.kind not in (Kind.TEXT, Kind.ENUM, Kind.INTEGER, Kind.BIGINT):
        return None
    rendered = expressions.render(mapping.expr, draft.dialect, unfolded.column_type)
    return draft.column(rendered, mapping.type), mapping.type


def pushed_decimal(
    mapping: FieldMapping, scale: int, unfolded: Unfolded, draft: FragmentDraft
) -> int | None:
    """Returns where a decimal arrives that the source computes and rounds, if it does so exactly.

    Sums over children are sub-selects; those of a scan are left to arrival, since a scan reads
    the rows below everything at once.
    """
    plain = _plain_decimal(mapping.expr, scale, unfolded)
    if plain is not None and draft.dialect in _WITH_DATES:
        return draft.column(mapping.expr, plain)
    number = expressions.exact_number(mapping.expr, draft.dialect, unfolded.column_type, scale)
    if number is None:
        return None
    for node in list(number.find_all(exp.Sum)):
        children = {id(c): c for column in node.find_all(exp.Column)
                    if (c := unfolded.child_of(column)) is not None}  # fmt: skip
        if len(children) != 1 or draft.is_scan:
            return None
        (child,) = children.values()
        if child.first:
            return None
        rows = child.scan.copy()
        rows.set("expressions", [node.copy()])
        node.replace(exp.Subquery(this=rows))
    outside = (c for c in number.find_all(exp.Column) if c.find_ancestor(exp.Subquery) is None)
    if any(unfolded.is_late(column) for column in outside):
        return None
    return draft.column(number, Type(Kind.DECIMAL, scale=scale))


def _plain_decimal(tree: exp.Expr, scale: int, unfolded: Unfolded) -> Type | None:
    """Returns the type of a column that has decimals of just this scale, None of anything else."""
    if not isinstance(tree, exp.Column) or unfolded.is_late(tree):
        return None
    type_ = unfolded.column_type(tree)
    is_same = type_.kind is Kind.DECIMAL and type_.precision is not None and type_.scale == scale
    return type_ if is_same else None


def _base(unfolded: Unfolded) -> tuple[exp.Select, str]:
    """Returns the scan without its WHERE, and its text."""
    rows = unfolded.rows
    if rows is not None and rows.scan is unfolded.scan:
        return rows.base, rows.text
    base = unfolded.scan.copy()
    base.set("where", None)
    return base, base.sql(dialect=POSTGRES, copy=False)


def _goes(conjunct: exp.Expr, unfolded: Unfolded, capabilities: Capabilities) -> bool:
    if not capabilities.dialect:
        return False
    if conjunct.find(exp.Select) is not None:
        return True
    if unfolded.is_late(conjunct):
        return False
    return expressions.pushable(conjunct, capabilities.dialect, unfolded.column_type)


def _render(conjunct: exp.Expr, unfolded: Unfolded, capabilities: Capabilities) -> exp.Expr:
    if conjunct.find(exp.Select) is not None:
        return conjunct.copy()
    return expressions.render(conjunct, capabilities.dialect, unfolded.column_type)


def _keys(bound: Bound, keyset: str, unfolded: Unfolded, capabilities: Capabilities) -> exp.Expr:
    columns: list[exp.Expr] = [column.copy() for column in bound.columns]
    known = in_keys(_row(columns), keyset)
    if bound.through is None:
        return known
    child = bound.through
    rows = child.scan.copy()
    where = rows.args["where"]
    rows.set("where", None)
    # What else ties the child to the row is left out: the first row is checked on arrival.
    kept = [
        conjunct.copy()
        for conjunct in expressions.conjuncts(where.this)
        if all(column.table in child.aliases for column in conjunct.find_all(exp.Column))
    ]
    kept += [
        _render(condition, unfolded, capabilities)
        for condition in bound.conditions
        if all(column.table in child.aliases for column in condition.find_all(exp.Column))
        and expressions.pushable(condition, capabilities.dialect, unfolded.column_type)
    ]
    links = [(mine, other) for mine, other in child.links if other.table in unfolded.aliases]
    rows.set("expressions", [mine.copy() for mine, _ in links])
    rows = rows.where(exp.and_(*kept, known), copy=False)
    above = _row([other.copy() for _, other in links])
    return exp.In(this=above, query=exp.Subquery(this=rows))


def _row(columns: list[exp.Expr]) -> exp.Expr:
    return columns[0] if len(columns) == 1 else exp.Tuple(expressions=columns)


def _identity(child: Child) -> str:
    terms = ", ".join(term.sql(dialect=POSTGRES, copy=False) for term in child.first)
    return f"{child.alias}|{child.scan.sql(dialect=POSTGRES, copy=False)}|{terms}"


def _orders_alike(child: Child, unfolded: Unfolded, dialect: str) -> bool:
    """Tells whether the source orders the child's rows as PostgreSQL would."""
    for term in child.first:
        if not isinstance(term.this, exp.Column):
            return False
        kind = unfolded.column_type(term.this).kind
        if kind not in _ORDERED and not (kind in _DATED and dialect in _WITH_DATES):
            return False
    return True


def _condition_text(condition: exp.Expr) -> str:
    """Returns the name under which equal conditions meet.

    Most compare a column with a parameter: writing SQL takes ten times as long.
    """
    if isinstance(condition, exp.Binary) and isinstance(condition.this, exp.Column):
        place = condition.expression
        is_listed = isinstance(place, exp.Any)
        place = place.this if is_listed else place
        if isinstance(place, exp.Placeholder):
            parts = (type(condition).__name__, is_listed, _text(condition.this), place.name)
            return "\x00".join(map(str, parts))
    return condition.sql(dialect=POSTGRES, copy=False)


def _text(expr: exp.Expr) -> str:
    """Returns the name under which equal expressions meet."""
    if isinstance(expr, exp.Column) and not expr.args.get("db"):
        return f"{expr.table}.{expr.name}" if expr.table else expr.name
    return expr.sql(dialect=POSTGRES, copy=False)
