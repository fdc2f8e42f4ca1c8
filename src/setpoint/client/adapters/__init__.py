"""CLIENT: plugs into other packages' interfaces, one file each, imported only by whoever uses it."""
