"""Decides who may see what: principals and decisions, nothing else."""
