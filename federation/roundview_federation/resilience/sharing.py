"""Decides what one of several server processes may ask of a source: its share of the limits."""

from __future__ import annotations

from dataclasses import replace

from roundview_catalog.model import Catalog, Limits


def shared(catalog: Catalog, processes: int) -> Catalog:
    """Returns the catalog as one of `processes` may use it; the version stays the catalog's.

    `limits.concurrency` and `limits.rate` are what the source is asked at most, by all processes
    together. Each may make one call at least: more processes than calls exceed the limit.
    """
    if processes == 1:
        return catalog
    sources = {
        name: replace(source, limits=_share(source.limits, processes))
        for name, source in catalog.sources.items()
    }
    return replace(catalog, sources=sources)


def _share(limits: Limits, processes: int) -> Limits:
    rate = limits.rate_per_second
    return replace(
        limits,
        concurrency=max(1, limits.concurrency // processes),
        rate_per_second=None if rate is None else rate / processes,
    )
