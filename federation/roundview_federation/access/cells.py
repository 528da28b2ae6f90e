"""Decides what several roles together show of a row: no value that none of them would show."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from roundview_catalog.policy import Role


class Cells:
    """What roles that see an entity show of its rows and values.

    Roles that may reveal show the field that is `revealed` without their mask.
    """

    def __init__(self, entity: str, roles: Sequence[Role], revealed: str = "") -> None:
        self._entity = entity
        self._revealed = revealed
        self._roles = roles
        filters = [role.row_filter.get(entity) for role in roles]
        distinct = {one.sql(): one for one in filters if one is not None}
        self.row_filters: tuple[exp.Expr, ...] = (
            () if any(one is None for one in filters) else tuple(distinct.values())
        )

    def mask(self, field: str, reading: Sequence[Role]) -> exp.Expr | None:
        """Returns what is shown instead of a field that some of the roles read, None: itself.

        >>> # a role shows x of rows of its region, another shows all rows, but not their x
        >>> # -> CASE WHEN region = principal.region THEN x END
        """
        arms: list[tuple[exp.Expr | None, exp.Expr | None]] = []
        shown_by = [(role, self._mask_of(role, field)) for role in reading]
        plain = [one for one in shown_by if one[1] is None]
        masked = [one for one in shown_by if one[1] is not None]
        for role, mask in (*plain, *masked):
            condition = role.row_filter.get(self._entity)
            arms.append((condition, mask))
            if condition is None:
                break
        shown = {"" if mask is None else mask.sql() for _, mask in arms}
        if len(shown) == 1 and self._is_everywhere(arms):
            return arms[0][1]
        case = exp.Case()
        otherwise: exp.Expr = exp.Null()
        for condition, mask in arms:
            value = exp.column(field) if mask is None else mask.copy()
            if condition is None:
                otherwise = value
                break
            case = case.when(condition.copy(), value, copy=False)
        return case.else_(otherwise, copy=False)

    def _mask_of(self, role: Role, field: str) -> exp.Expr | None:
        is_revealed = field == self._revealed and "reveal" in role.actions
        return None if is_revealed else role.mask.get((self._entity, field))

    def _is_everywhere(self, arms: Sequence[tuple[exp.Expr | None, exp.Expr | None]]) -> bool:
        """Tells whether every row that is shown fulfils the condition of an arm."""
        conditions = {"" if condition is None else condition.sql() for condition, _ in arms}
        every = {
            "" if one is None else one.sql()
            for one in (role.row_filter.get(self._entity) for role in self._roles)
        }
        return "" in conditions or conditions >= every
