"""Decides how rows look on the wire: whole columns at once, text and binary."""

from roundview_sql.encoding.rows import BINARY, TEXT, encode_rows

__all__ = ["BINARY", "TEXT", "encode_rows"]
