"""GATE: data flow: what a file's values, names and calls are, as far as the source alone says it."""
