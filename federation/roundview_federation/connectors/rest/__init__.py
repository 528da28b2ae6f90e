"""Reads JSON over HTTP, as the catalog declares it: GET only, one origin, bounded everywhere.

connector  calls, what errors mean
routes     which declared paths can answer a fragment, and with how many calls
lists      all pages of one list
fetch      one document: rate, retries, revalidation
values     where values lie in JSON
paging     how pages follow each other
"""

from __future__ import annotations

from roundview_federation.connectors.rest.connector import RestConnector

__all__ = ["RestConnector"]
