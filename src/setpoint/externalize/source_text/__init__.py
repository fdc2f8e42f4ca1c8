"""EXTERNALIZE: one Python file as text: where something stands in it, and what it is rewritten to."""
