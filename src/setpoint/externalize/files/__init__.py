"""EXTERNALIZE: the files of a project: which are read, and which are written beside the rewritten source."""
