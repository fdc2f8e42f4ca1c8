"""SERVE: who speaks: rules of routes, credentials, logins, sessions, and identity providers."""
