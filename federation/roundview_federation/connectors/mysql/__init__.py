"""Reads MySQL and MariaDB in place.

connector  calls, what errors mean
sessions   connections: opened when needed, ended in the server too
grants     whether a login can write
layout     what the columns of the server really are
statement  a fragment as MySQL text
terms      what only MySQL has
values     keys, parameters and cells on their way
schema     what the database says of itself
failures   what the server's errors mean
"""

from __future__ import annotations

from roundview_federation.connectors.mysql.connector import MysqlConnector

__all__ = ["MysqlConnector"]
