"""Serves sources and the cross-reference to Trino, through its Thrift connector."""
