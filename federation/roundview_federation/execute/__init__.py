"""Decides what happens between a plan and its result.

rounds     key sets bound, answers turned into rows and labels
asking     every fragment asked as soon as its keys are known
ledger     what each source did, as one status
steps      order, pages, groups below parents
survive    one value per customer field, with its provenance
cursors    sealed positions in lists
"""
