"""Decides what $1, $2 … of a question are: their types, their texts, what lists of them become."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from roundview_catalog.errors import RequestError
from roundview_federation.dialect.array_texts import listed
from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.names import resolve
from roundview_federation.dialect.refusal import SYNTAX, refuse, unsupported
from roundview_federation.dialect.scopes import folded
from roundview_federation.dialect.translate import OutputColumn, translate
from roundview_federation.dialect.types import TEXT, UNKNOWN, PgType, array_of
from roundview_federation.rewrite.query.conditions import ValuesDecide
from roundview_federation.rewrite.query.reads import LOOKUP
from roundview_federation.sql.derived import Relations
from roundview_federation.sql.planned import PlannedQuery
from roundview_federation.sql.relations import types_of
from roundview_federation.sql.sharing import Shared, bound, decided_numbers
from roundview_federation.sql.witness import Witness

_CUSTOMER = "customer_id"
_CAST: Mapping[str, exp.DType] = {
    "smallint": exp.DType.SMALLINT, "integer": exp.DType.INT, "bigint": exp.DType.BIGINT,
    "double precision": exp.DType.DOUBLE, "boolean": exp.DType.BOOLEAN, "date": exp.DType.DATE,
    "time without time zone": exp.DType.TIME, "uuid": exp.DType.UUID,
    "timestamp without time zone": exp.DType.TIMESTAMP,
    "timestamp with time zone": exp.DType.TIMESTAMPTZ, "interval": exp.DType.INTERVAL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the asker says for $1, $2 …: texts as constants are written, None is NULL.

    `types` are PostgreSQL's names where the asker declares them, "" where the question decides. A
    list of texts is an array.
    """

    texts: tuple[str | tuple[str | None, ...] | None, ...] = ()
    types: tuple[str, ...] = ()

    def type(self, number: int) -> str:
        """Returns the declared type of $number, "" where there is none."""
        return self.types[number - 1] if number <= len(self.types) else ""


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a question before it is asked: its columns, and what $1, $2 … are."""

    columns: tuple[OutputColumn, ...]
    parameters: Mapping[int, PgType] = field(default_factory=dict)


def describe(text: str, types: tuple[str, ...], relations: Relations) -> Described:
    """Returns the columns of a question and the types of its parameters; plans nothing.

    Raises RequestError as planning does for what cannot be asked whatever the values are.
    """
    tree = gate(text)
    found: dict[int, PgType] = {}
    lists = set()
    for one in list(tree.find_all(exp.Parameter)):
        number = _number(one)
        found.setdefault(number, UNKNOWN)
        if _list_of(one) is not None:
            lists.add(number)
            _unlist(one)
        _declare(one, types[number - 1] if number <= len(types) else "")
    tree = resolve(tree, relations)
    known = {}
    for table in tree.find_all(exp.Table):
        call = table.this
        if isinstance(call, exp.Anonymous) and call.name.lower() == LOOKUP:
            found.update({_number(one): TEXT for one in call.find_all(exp.Parameter)})
            table.set("this", exp.to_identifier(LOOKUP))
        if table.name == LOOKUP or table.name in relations:
            known[table.name] = types_of(table.name, relations)
    translated = translate(tree, known)
    for number in found:
        type_ = translated.parameters.get(number, found[number])
        declared = types[number - 1] if number <= len(types) else ""
        if declared:
            type_ = PgType(declared)
        elif number in lists:
            type_ = array_of(TEXT if type_ is UNKNOWN else type_)
        found[number] = type_
    return Described(translated.columns, found)


def plan_with(
    text: str,
    arguments: Arguments,
    today: Callable[[str], str],
    plan: Callable[[exp.Query, Witness], PlannedQuery],
) -> tuple[Shared, PlannedQuery]:
    """Plans a question with as many parameters left open as its plan allows.

    Returns what it shares with other values, and its own plan. `today` tells which customer id one
    of before a merge is.
    """
    free = frozenset(
        number
        for number, said in enumerate(arguments.texts, 1)
        if isinstance(said, str) and today(said) == said
    )
    written = gate(text)
    while True:
        tree = written.copy()
        still = spoken(tree, arguments, free, today)
        if not still:
            return Shared(frozenset(), None), plan(tree, Witness())
        texts = tuple(said if isinstance(said, str) else "" for said in arguments.texts)
        try:
            planned = plan(tree, Witness(texts))
            typed = frozenset(one for one in still if arguments.type(one))
            decided = decided_numbers(planned, typed, texts)
        except ValuesDecide as needed:
            decided = needed.numbers
        except RequestError:
            # Refused with its position when it is planned with what is said.
            decided = still
        if not decided:
            own = bound(planned, texts, text)
            if own is not None:
                return Shared(still, planned), own
            decided = still
        free = still - decided


def bind(
    shared: Shared, arguments: Arguments, today: Callable[[str], str], text: str
) -> PlannedQuery | None:
    """Returns the plan of a question from that of others, None where its values do not fit."""
    texts = tuple(said if isinstance(said, str) else "" for said in arguments.texts)
    if shared.planned is None or any(today(texts[n - 1]) != texts[n - 1] for n in shared.free):
        return None
    planned = bound(shared.planned, texts, text)
    return None if planned is None else replace(planned, shape=text)


def spoken(
    tree: exp.Query, arguments: Arguments, free: Collection[int], today: Callable[[str], str]
) -> frozenset[int]:
    """Puts what is said in the place of parameters, but for those that stay open: returns them.

    Raises RequestError 08P01 for a parameter of which nothing is said.
    """
    open_: set[int] = set()
    for one in list(tree.find_all(exp.Parameter)):
        number = _number(one)
        if number > len(arguments.texts):
            raise refuse(SYNTAX, f"nothing is said for ${number}", one, sqlstate="08P01")
        said = arguments.texts[number - 1]
        declared = arguments.type(number)
        if isinstance(one.parent, exp.Limit | exp.Offset | exp.Fetch):
            one.replace(_count(said, one))
        elif number in free:
            open_.add(number)
            _declare(one, declared)
        elif isinstance(said, tuple):
            _listed(one, said, declared.removesuffix("[]"))
        else:
            is_customer = _is_customer(one)
            _say(one, today(said) if is_customer and said is not None else said, declared)
    return frozenset(open_)


def _number(node: exp.Parameter) -> int:
    return int(node.this.name)


def _declare(node: exp.Expr, declared: str) -> None:
    """Lets a parameter be of its declared type where that is not simply that of a text."""
    kind = _CAST.get(declared)
    if kind is None or isinstance(node.parent, exp.Cast | exp.Limit | exp.Offset | exp.Fetch):
        return
    if not isinstance(node.parent, exp.Anonymous) or not isinstance(node.parent.parent, exp.Table):
        node.replace(exp.Cast(this=node.copy(), to=exp.DataType(this=kind)))


def _say(node: exp.Expr, said: str | None, declared: str) -> None:
    made: exp.Expr = exp.Null() if said is None else exp.Literal.string(said)
    stands = node.parent
    node.replace(made)
    if not isinstance(stands, exp.Cast):
        _declare(made, declared)


def _count(said: object, node: exp.Expr) -> exp.Expr:
    if said is None:
        return exp.Null()
    text = str(said).strip()
    if not text.isdigit():
        raise refuse("RV132", "LIMIT and OFFSET take a whole number", node, sqlstate="2201W")
    return exp.Literal(this=str(int(text)), is_string=False)


def _list_of(node: exp.Expr) -> exp.Expr | None:
    """Returns the quantifier of which a parameter is the array: = ANY ($1)."""
    above = node.parent
    while isinstance(above, exp.Paren | exp.Cast):
        above = above.parent
    is_all = isinstance(above, exp.Anonymous) and above.name.lower() == "all"
    return above if isinstance(above, exp.Any | exp.All) or is_all else None


def _unlist(node: exp.Expr) -> None:
    """Makes `a = ANY ($1)` mean `a = $1`: of one element the type is the same."""
    quantifier = _list_of(node)
    if quantifier is not None:
        quantifier.replace(node.copy())


def _listed(node: exp.Expr, said: tuple[str | None, ...], declared: str) -> None:
    quantifier = _list_of(node)
    if quantifier is None:
        raise unsupported("an array as a value", node)
    values: list[exp.Expr] = []
    for one in said:
        value: exp.Expr = exp.Null() if one is None else exp.Literal.string(one)
        kind = _CAST.get(declared)
        values.append(exp.Cast(this=value, to=exp.DataType(this=kind)) if kind else value)
    listed(quantifier, values)


def _is_customer(node: exp.Expr) -> bool:
    above = node.parent
    while isinstance(above, exp.Paren | exp.Cast):
        above = above.parent
    if not isinstance(above, exp.EQ | exp.NEQ | exp.In):
        return False
    sides: Iterator[exp.Expr] = above.iter_expressions()
    return any(
        isinstance(one, exp.Column) and folded(one.this).lower() == _CUSTOMER for one in sides
    )
