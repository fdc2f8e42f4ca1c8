"""GOVERN: readiness files: read, judged by their form, and every name in them looked up in what runs."""
