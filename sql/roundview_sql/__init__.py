"""The door for BI tools: PostgreSQL's protocol over the canonical schema."""
