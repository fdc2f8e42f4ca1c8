"""STORE: PostgreSQL holds one document for each scope; each write makes an immutable revision."""
