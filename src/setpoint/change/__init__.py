"""CHANGE: seed, validate, record and account for values."""
