"""Decides how long and how often a source is asked."""
