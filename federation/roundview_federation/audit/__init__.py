"""Keeps who saw whom and why: written before an answer leaves, and provable afterwards."""
