"""EXTERNALIZE: moving literals from a project's source into the control plane, its behaviour unchanged."""
