"""STORE: backups: rows of our tables in one file with a manifest, and back; nothing in one is executed."""
