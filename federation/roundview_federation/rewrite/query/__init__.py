"""Decides which rows of which relations a whole query needs, and what of it is left to compute.

reads      every reference to a relation, the columns it needs, and the residual over them
restrict   which rows of a reference can matter: its own conditions and the keys of others
"""

from __future__ import annotations
