"""Decides what finishes a question that no single source can."""
