"""GATE: what a repository decides: which files, which exceptions, and from when on findings block."""
