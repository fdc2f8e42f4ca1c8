"""CHANGE: documents and history as a folder: export, import, plan and apply."""
