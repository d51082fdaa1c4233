"""The one error of this package."""


class PassError(ValueError):
    """A frame or its passes cannot be used; the message is one line that names file and remedy."""
