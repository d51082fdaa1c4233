from pathlib import Path

import pytest

from diffsynth_blender.protocol import BadJobError, DeviceMissingError, JobBusyError, ModelMissingError
from diffsynth_blender.worker.failure import describe_failure
from diffsynth_blender.writing import WriteError


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


class AcceleratorError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "kind", "exit_code"),
    [
        (BadJobError("x"), "bad_job", 2),
        (JobBusyError("x"), "busy", 2),
        (ModelMissingError("x"), "model_missing", 3),
        (DeviceMissingError("x"), "device_missing", 3),
        (MemoryError(), "out_of_memory", 4),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", 4),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:125] . DefaultCPUAllocator: can't allocate memory: you tried"),
         "out_of_memory", 4),
        (RuntimeError("Failed to allocate 8000000000 bytes on device 'cuda:0'"), "out_of_memory", 4),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "out_of_memory", 4),
        (OSError(12, "Cannot allocate memory"), "out_of_memory", 4),
        (OSError("codec configuration error when writing image file"), "out_of_memory", 4),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "out_of_memory", 4),
        (AcceleratorError("CUDA error: out of memory"), "out_of_memory", 4),
        (AcceleratorError("CUDA error: unspecified launch failure\nCUDA kernel errors might be"), "device_lost", 3),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "device_lost", 3),
        (OSError(24, "Too many open files", "a.png"), "system_limit", 1),
        (WriteError(24, "Too many open files", "a.png"), "system_limit", 1),
        (RuntimeError("can't start new thread"), "system_limit", 1),
        (WriteError(2, "No such file or directory", "a.png"), "storage", 1),
        (WriteError(None, "I/O error", "a.png"), "storage", 1),
        (OSError(5, "Input/output error"), "storage", 1),
        (RuntimeError("shapes differ"), "internal", 1),
        (ValueError("Failed to allocate a name"), "internal", 1),
        (KeyError("a\nb"), "internal", 1),
        (SystemExit(3), "internal", 1),
        (AssertionError(), "internal", 1),
    ],
)  # fmt: skip
def test_kinds(error: BaseException, kind: str, exit_code: int) -> None:
    """Give each exception its kind and exit code, and one line that says something."""
    failure = describe_failure(error)
    assert (failure.kind, failure.exit_code) == (kind, exit_code)
    assert failure.message and "\n" not in failure.message
    assert type(error).__name__ in failure.traceback


def test_real_torch_and_numpy() -> None:
    """Recognise what the libraries really raise, by asking for more memory than any machine has."""
    numpy, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    for allocate in (lambda: numpy.empty(2**58), lambda: torch.empty(2**58), lambda: torch.ones(2**45)):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate()
        assert describe_failure(caught.value).kind == "out_of_memory", caught.value


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' device that is always full")
def test_a_full_disk(tmp_path: Path) -> None:
    """Take a full disk, and a folder that is none, for what they are: no bug, and nothing wrong with the job."""
    with pytest.raises(OSError, match="No space") as caught, Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")
    failure = describe_failure(caught.value)
    assert (failure.kind, failure.exit_code) == ("storage", 1) and "No space left" in failure.message
    assert describe_failure(FileNotFoundError(2, "No such file", str(tmp_path))).kind == "internal"


def test_endless_messages_are_cut() -> None:
    """Keep a failure small enough to travel as one message."""
    failure = describe_failure(ValueError("x" * 10_000_000))
    assert len(failure.message) < 3_000 and len(failure.traceback) < 100_000
