"""Decides who is who: links between records of sources and stable customer ids."""
