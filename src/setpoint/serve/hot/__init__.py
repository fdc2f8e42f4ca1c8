"""SERVE: the plain routes: snapshots kept ready, the stream, flags, holders, and what they share."""
