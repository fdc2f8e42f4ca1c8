"""GOVERN: a change's rollout: shadow, canary, full; what each is judged by, and what a verdict does."""
