"""GATE: files that are no Python: how JSON, YAML, TOML, settings and notebooks are read."""
