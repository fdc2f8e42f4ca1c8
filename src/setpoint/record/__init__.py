"""RECORD: runs, results, events and coverage: what training reported, written once and read back typed."""
