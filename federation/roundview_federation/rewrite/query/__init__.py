"""Decides which rows of which relations a whole query needs, and what of it is left to compute.

reads      every reference to a relation, the columns it needs, and the residual over them
restrict   which rows of a reference can matter: its own conditions and the keys of others
merge      reads that bring the same rows made one
handing    what a read must match handed on to those that wait for it
"""

from __future__ import annotations
