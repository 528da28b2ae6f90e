"""Decides how a question is answered over the sources."""
