"""Decides what happens between a plan and its result.

rounds     key sets bound, all fragments that can run at once, statuses
steps      order, pages, groups below parents
survive    one value per customer field, with its provenance
cursors    sealed positions in lists
"""
