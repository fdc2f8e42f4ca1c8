"""DECLARE: which parameters exist, their types, bounds, units and invariants. Never a value."""
