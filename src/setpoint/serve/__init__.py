"""SERVE: the HTTP plane: the doors through which machines and people reach documents, runs and changes."""
