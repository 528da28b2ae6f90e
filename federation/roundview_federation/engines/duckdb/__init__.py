"""Decides how DuckDB finishes questions: in worker processes that can be killed.

A worker is fed with Arrow and with SQL that was generated from trees. It is attached to no source,
reads no file and never sees text that a user wrote.
"""
