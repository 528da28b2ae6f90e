"""Decides how a canonical question becomes source fragments: one file, one pass.

qualify    names exist and this principal may see them
authorize  row filters and masks at the leaf, below everything the asker wrote
keyset     which customers: customer_id = ANY(:lookup)
unfold     canonical relation -> one source branch and slot
push       what the source computes, what is computed on arrival
arrive     generated Python for what was not pushed
"""

from __future__ import annotations

from roundview_federation.rewrite.authorize import authorize
from roundview_federation.rewrite.keyset import keyset
from roundview_federation.rewrite.qualify import qualify

PASSES = (qualify, authorize, keyset)
"""Canonical tree -> canonical tree, in this order; unfold and push follow per branch."""
