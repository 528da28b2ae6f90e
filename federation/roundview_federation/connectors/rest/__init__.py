"""Reads JSON over HTTP, as the catalog declares it: one origin, nothing changed, all bounded.

connector      calls, what a fragment needs
columns        what columns and conditions mean
routes         which declared paths can answer a fragment, and with how many calls
bodies         values in the JSON of a POST
lists          all pages of one list
paging         how pages follow each other
origin         where calls and links may go
sharing        equal calls of one moment
fetch          one document: rate, retries, revalidation
authorization  what proves who we are
held           small tables in memory, and joins to them
arriving       which rows count
failures       what went wrong, in words
values         where values lie in JSON
"""

from __future__ import annotations

from roundview_federation.connectors.rest.connector import RestConnector

__all__ = ["RestConnector"]
