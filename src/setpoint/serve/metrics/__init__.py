"""SERVE: what a plane is watched by: numbers of the database and of all its processes."""
