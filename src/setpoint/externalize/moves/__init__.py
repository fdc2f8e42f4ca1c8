"""EXTERNALIZE: the kinds of moves: a literal, a group, the bounds of a search, a read past the resolver."""
