"""EXTERNALIZE: what else of a project decides about a value: who takes it, and which learner it is for."""
