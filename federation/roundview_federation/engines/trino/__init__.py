"""Decides how one statement runs on Trino.

settings   where Trino is, and who asks
engine     a statement as a stream of batches, stopped at its deadline or when nobody reads on
columns    a page of Trino's answer as Arrow
failures   which of our errors an error of Trino is
"""

from __future__ import annotations
