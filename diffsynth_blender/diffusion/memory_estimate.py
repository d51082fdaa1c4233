"""How much memory a job will take, before it starts: what its networks hold, and what they need while they compute.

Networks are walked with tensors that have a size and no content, so any architecture is counted as it is.
"""

import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PROCESS_BYTES = 640 << 20
"""Main memory of a worker that has loaded torch, diffusers, transformers and Warp, and computed something."""

CPU_WORKSPACE = 1.45
"""Factor on activations: the C library keeps much of what is freed. Measured at 768x512 with its defaults: 1.4 to 1.5
for the demo model's U-Net with eight frames, 1.4 to 1.6 for its decoder; 1.11 and 0.97 where all that is freed goes
back to the system. Not measured on a graphics card, where none is added."""

LINKED_BYTES = 12 + 10 + 16
"""A pixel of each frame of the smoother's window: the frame, its link, and the frame moved by the accurate blend."""

PASS_BYTES = 64
"""A pixel of each frame whose exact passes are held: their surfaces and one-step motion."""

OWN_BYTES = 160
"""A pixel of what the smoother holds once: its means, and the guides that are compared."""

LATENT_COPIES = 6
"""Latents of the whole clip that exist at a time: x_t, the model's output, x0, its change and the sampler's history."""


class _Allocations(TorchDispatchMode):
    """Counts the bytes of the storages that are made inside the block and still exist, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()
        self._lock = threading.Lock()

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if torch.is_tensor(leaf)}
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if torch.is_tensor(leaf) and leaf.untyped_storage()._cdata not in given | self._known:
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()

        def forget() -> None:
            with self._lock:
                self._known.discard(place)
                self._now -= size

        with self._lock:
            self._known.add(place)
            self._now += size
            self.peak = max(self.peak, self._now)
        weakref.finalize(storage, forget)


def peak_bytes(compute: Callable[..., object], *inputs: torch.Tensor) -> int:
    """The most bytes that the tensors made by `compute(*inputs)` take at a time; next to nothing is computed.

    Inputs are replaced by tensors of their size without content, and so is all that is made of them; `compute` may not
    look at their values. Weights and other tensors from outside are not counted, nor what libraries take inside an
    operation.
    """
    contentless = FakeTensorMode(allow_non_fake_inputs=True)
    with torch.no_grad():
        fakes = [contentless.from_tensor(tensor) for tensor in inputs]
        with _Allocations() as allocations:
            compute(*fakes)
    return allocations.peak


def weight_bytes(networks: Iterable[torch.nn.Module]) -> int:
    """What parameters and buffers take, shared ones once."""
    tensors = {id(t): t for network in networks for t in (*network.parameters(), *network.buffers())}
    return sum(tensor.nbytes for tensor in tensors.values())


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a job will take at its peak."""

    device: int
    """On the graphics card; 0 where the job runs on the processor."""
    host: int
    """Of main memory."""


def estimate_memory(
    *,
    device: torch.device,
    busy: Iterable[torch.nn.Module],
    idle: Iterable[torch.nn.Module],
    activations: int,
    window: int,
    height: int,
    width: int,
    frame_count: int,
    latent_shape: tuple[int, int, int],
) -> MemoryEstimate:
    """What a job will take, within about a third.

    Args:
        device: where it computes.
        busy: networks that stay on the device.
        idle: networks that are there only while they are used.
        activations: the largest `peak_bytes` of what runs there, one after the other: an evaluation of the model for
            one window, a batch through the VAE.
        window: neighbours to either side that a frame is averaged with.
        height: of the frames [px].
        width: of the frames [px].
        frame_count: of the clip.
        latent_shape: of one frame.
    """
    busy, idle = list(busy), list(idle)
    idle_largest = max((weight_bytes([network]) for network in idle), default=0)
    near = 2 * window + 1
    frames = height * width * (near * (LINKED_BYTES + PASS_BYTES) + OWN_BYTES) if window else 0
    channels, h, w = latent_shape
    latents = LATENT_COPIES * frame_count * channels * h * w * 4
    if device.type == "cpu":
        weights = weight_bytes([*busy, *idle])
        host = PROCESS_BYTES + weights + int(CPU_WORKSPACE * activations) + frames + latents
        return MemoryEstimate(device=0, host=host)
    return MemoryEstimate(
        device=weight_bytes(busy) + idle_largest + activations + frames,
        host=PROCESS_BYTES + weight_bytes(idle) + latents,
    )
