"""What is wrong with a model that an artist brought, in one line that names the path and the remedy."""


class CheckpointError(ValueError):
    """A model, or a part of one, that is not there or cannot be used; the message names the path and the remedy."""
