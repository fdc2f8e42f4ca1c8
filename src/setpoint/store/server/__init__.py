"""STORE: the embedded PostgreSQL: its files, its supervisor, and the client's side of it."""
