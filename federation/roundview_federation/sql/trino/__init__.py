"""Decides how a whole SQL question is one statement of Trino.

reads      the rows of one read: a union of the branches of its sources
statement  the question over its reads, in Trino's SQL, and what the session must say
running    the statement on its way, and its answer
"""

from __future__ import annotations
