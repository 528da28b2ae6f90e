"""Proves the claims of a catalog against its sources.

proving    which proofs there are for a source, and in which order
findings   verdicts, and what each says
places     where in the catalog's files a claim stands
asking     the few bounded questions that proofs are made of
schema     the schema file against what the source says of itself
facts      what people claim under `facts`, and freshness
columns    what columns of sources without enforced types really hold
files      buckets and declared columns of files
indexes    what the views ask by key, by the source's own EXPLAIN
paths      access paths, filters and projections of an API, each by a real call
sizes      how large tables are, so that strategies know
on_trino   whether Trino reads the same tables with the same types
ways       tables of an API that can be asked in one way each
"""

from __future__ import annotations

from roundview_federation.live.findings import Finding, Verdict
from roundview_federation.live.proving import Proven, prove_source

__all__ = ["Finding", "Proven", "Verdict", "prove_source"]
