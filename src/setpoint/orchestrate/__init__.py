"""Orchestrate: planning, starting and following a sweep, for a command, a DAG or a cluster to call.

Guarantees: it imports without PostgreSQL's driver and without a terminal's libraries. What it works
through, plane or database, is a ``Door`` that the caller opens; the database's is handed in. Nothing is
printed: a caller is told by callbacks and by what is returned.
"""
