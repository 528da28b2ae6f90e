"""Decides what service agents see: one page, running on operations made from the catalog."""
