"""Decides the users' SQL: PostgreSQL's SELECT, answered as PostgreSQL would or refused."""

from roundview_federation.dialect.gate import gate
from roundview_federation.dialect.names import resolve
from roundview_federation.dialect.translate import OutputColumn, Translated, translate

__all__ = ["OutputColumn", "Translated", "gate", "resolve", "translate"]
