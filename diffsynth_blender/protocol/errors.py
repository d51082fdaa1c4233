"""The errors a job can end with. Each carries the word the host sees and the exit code a script sees.

A message is one complete line: what is wrong, in which file, and what to do about it.
Anything else is a bug: kind "internal", exit code 1, with its traceback.
"""

INTERNAL_KIND = "internal"
INTERNAL_EXIT_CODE = 1


class DiffSynthError(Exception):
    """Base of every error that is not a bug."""

    kind: str = INTERNAL_KIND
    """The word in `JobFailed.kind`."""
    exit_code: int = INTERNAL_EXIT_CODE
    """What the command line returns."""


class BadJobError(DiffSynthError):
    """The job folder, or something in it, cannot be used as it is."""

    kind = "bad_job"
    exit_code = 2


class JobBusyError(BadJobError):
    """Another worker holds the job folder, or this worker already runs a job."""

    kind = "busy"


class ModelMissingError(DiffSynthError):
    """The checkpoint, or a part of it, is not where the job says."""

    kind = "model_missing"
    exit_code = 3


class DeviceMissingError(DiffSynthError):
    """The device the job asks for is not there."""

    kind = "device_missing"
    exit_code = 3


class DeviceLostError(DiffSynthError):
    """The device stopped while it was computing. The worker's process cannot use it again, a new one may."""

    kind = "device_lost"
    exit_code = 3


class PackageMissingError(DiffSynthError):
    """The worker's Python lacks a package."""

    kind = "package_missing"
    exit_code = 3


class WorkerMemoryError(DiffSynthError):
    """The device or the machine ran out of memory."""

    kind = "out_of_memory"
    exit_code = 4


class StorageError(DiffSynthError):
    """The disk is full, or a file may not be written. Finished frames stay; the job goes on once there is room."""

    kind = "storage"


class SystemLimitError(DiffSynthError):
    """The system grants no more files, threads or processes. Finished frames stay, as ever."""

    kind = "system_limit"


class JobCancelledError(DiffSynthError):
    """The job was asked to stop; what was finished stays finished."""

    kind = "cancelled"
    exit_code = 130


class WorkerDiedError(DiffSynthError):
    """The worker process ended without ending its job, or never answered. Raised by the client only."""

    kind = "worker_died"


class ProtocolError(DiffSynthError):
    """The other end of the pipe sent something that is not a message of this protocol version."""

    kind = "protocol"


ERRORS: dict[str, type[DiffSynthError]] = {
    error.kind: error
    for error in (
        BadJobError,
        JobBusyError,
        ModelMissingError,
        DeviceMissingError,
        DeviceLostError,
        PackageMissingError,
        WorkerMemoryError,
        StorageError,
        SystemLimitError,
        JobCancelledError,
        WorkerDiedError,
        ProtocolError,
    )
}
"""Every kind but "internal", so that the host can raise what the worker reports."""
