"""Decides what is true about the sources: schema, mappings, expressions, errors."""
