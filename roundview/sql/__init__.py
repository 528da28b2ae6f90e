"""Decides how answers to SQL look at the front door: to programs, in files, in a terminal.

answers   what `connect(...).sql(...)` returns
naming    column names where each must be another
texts     values as text, whole columns at once
writing   answers as JSON, CSV, Parquet and Arrow
tables    answers in a terminal
explained how a question is answered, as text and as a diagram
pointing  where in a statement a mistake is
completion what can be typed next in the shell
"""

from __future__ import annotations
