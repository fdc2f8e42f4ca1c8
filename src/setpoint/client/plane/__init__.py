"""CLIENT: the way to the plane over HTTP: requests, snapshots, the stream, the last known good."""
