"""The one place where a job's device and number format are decided."""

import os

import torch

from ..protocol import DeviceMissingError

AUTO = "auto"


def choose_device(wanted: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda".

    Raises DeviceMissingError when CUDA is asked for and not there: a job never moves to the processor unasked.
    """
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise DeviceMissingError(
            "device 'cuda' is not available on this machine; set settings.device to 'auto' or 'cpu' in job.json"
        )
    if wanted == "cpu" or not has_cuda:
        # Set explicitly: the default counts hyper-threads of the whole machine, also in a container that owns two.
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        return torch.device("cpu")
    # The same frame must give the same bits when a job goes on after a crash.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda", torch.cuda.current_device())


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """Number format of the model for a precision of the job; "auto" suits the device."""
    return compute_dtype(device) if precision == "auto" else getattr(torch, precision)


def compute_dtype(device: torch.device) -> torch.dtype:
    """Number format of U-Net, ControlNets and text encoder: half precision where there is hardware for it."""
    return torch.float16 if device.type == "cuda" else torch.float32


def describe_device(device: torch.device) -> str:
    """The device in words, for the report."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads"
