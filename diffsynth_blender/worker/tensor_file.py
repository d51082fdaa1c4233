"""Tensors of a running job as a file, written and read."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from ..protocol.files import replacing


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors of any device, whole or not at all. Raises WriteError where the disk is full or gone."""
    with replacing(path) as temporary:
        try:
            save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, temporary)
        except SafetensorError as error:  # which is no OSError, and has the number in its text only
            reason = " ".join(str(error).split())
            number = re.search(r"\(os error (\d+)\)", reason)
            raise OSError(int(number[1]) if number else None, reason) from error
