"""Decides how a branch of a source is rows of a canonical relation inside a statement of Trino.

place    where Trino finds a source's tables
columns  a source's column as a value whose type is sure
fields   what a mapping makes of columns, and what follows from other fields
convert  a value of a source as the canonical type
asked    what is asked of a branch: columns, conditions, keys
native   which branches a database is asked for in its own SQL
lists    how many values stand in a statement without its planner looking at each
branch   all of it as one SELECT, under row filters and masks
"""

from __future__ import annotations
