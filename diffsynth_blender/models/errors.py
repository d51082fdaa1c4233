"""What is wrong with a model that an artist brought or asked for, in one line with the remedy."""


class CheckpointError(ValueError):
    """A model, or a part of one, that is not there or cannot be used; the message names the path and the remedy."""


class DownloadError(RuntimeError):
    """A file that could not be had from a hub; nothing stands under its name. The message holds no secret."""
