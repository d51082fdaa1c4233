"""What a set-up can end with."""

from ..protocol.errors import DiffSynthError


class SetupError(DiffSynthError):
    """The environment cannot be made, or is not whole; the message is one line: what is wrong and what to do."""

    kind = "setup"
    exit_code = 3


class SetupCancelledError(SetupError):
    """The set-up was asked to stop. What was downloaded is kept; starting it again goes on from there."""

    kind = "cancelled"
    exit_code = 130
