"""EXTERNALIZE: the reason why a finding stays in the source."""


class Unmovable(Exception):
    """Ends the consideration of one finding; its text is the reason."""
