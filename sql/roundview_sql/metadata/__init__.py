"""Decides what clients are told about schemas, relations, columns and types."""
