"""Answers GraphQL operations over the canonical schema: the door for apps."""
