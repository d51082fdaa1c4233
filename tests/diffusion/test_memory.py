import subprocess
import sys

import pytest
import torch

from diffsynth_blender.diffusion.latents import LatentCodec
from diffsynth_blender.diffusion.memory import Ladder, Resident, is_out_of_memory

CPU = torch.device("cpu")

# Address space is limited to what is in use after one call in the smallest pieces, and a little: a whole frame of this
# size really does not fit, and the allocator refuses it.
LIMITED = """
import resource, sys, torch
from pathlib import Path
from diffsynth_blender.diffusion.latents import LatentCodec
from diffusers import AutoencoderKL

torch.set_num_threads(1)
torch.manual_seed(0)
size, batch, budget = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) << 20
vae = AutoencoderKL(
    block_out_channels=(8,) * 4, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    norm_num_groups=2, mid_block_add_attention=False,
).eval().requires_grad_(False)
latents = torch.randn(batch, 4, size // 8, size // 8, generator=torch.Generator().manual_seed(1))
lines = []
codec = LatentCodec(vae, height=size, width=size, device=torch.device("cpu"), batch=batch, report=lines.append)
LatentCodec(vae, height=64, width=64, device=torch.device("cpu")).decode(torch.randn(1, 4, 8, 8))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (used + budget, hard))
few = codec.decode(latents)
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
many = LatentCodec(vae, height=size, width=size, device=torch.device("cpu"), batch=batch).decode(latents)
print(len(lines), float((few - many).abs().max()), float((few - many).abs().mean()))
print(*lines, sep="\\n")
"""


def refuse(byte_count):
    """What really happens when the CPU's allocator cannot serve."""
    torch.empty(byte_count, dtype=torch.uint8)


def test_real_refusals_are_recognised():
    """PyTorch's and NumPy's errors count, others do not."""
    numpy = pytest.importorskip("numpy")
    for allocate in (lambda: refuse(2**58), lambda: numpy.empty(2**58)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            allocate()
        assert is_out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(caught.value)


def test_a_ladder_steps_down_says_so_and_stays_there():
    """What fits is used from then on, and every step down is one line."""
    lines, tried = [], []
    ladder = Ladder("bytes", [2**58, 2**57, 1000], lines.append)

    def compute(size):
        tried.append(size)
        refuse(size)
        return size

    assert ladder(compute) == ladder(compute) == ladder.rung == 1000
    assert tried == [2**58, 2**57, 1000, 1000]
    assert lines == [f"out of memory: from now on bytes {size}" for size in (2**57, 1000)]


def test_the_smallest_ways_failure_and_other_errors_come_through():
    """A ladder hides neither that nothing fits nor a mistake."""
    with pytest.raises(RuntimeError) as caught:
        Ladder("bytes", [2**58, 2**57])(refuse)
    assert is_out_of_memory(caught.value)
    ladder = Ladder("bytes", [1, 2])
    with pytest.raises(RuntimeError, match="shape"):
        ladder(lambda _: torch.ones(2, 3) @ torch.ones(2, 3))
    assert ladder.rung == 1


def test_a_failed_attempt_leaves_nothing_behind():
    """What it had allocated is free before the next one starts."""
    import weakref

    held = []

    def compute(size):
        assert not held or held[0]() is None
        tensor = torch.ones(10)
        held.append(weakref.ref(tensor))
        refuse(size)

    Ladder("bytes", [2**58, 8])(compute)


@pytest.mark.skipif(sys.platform != "linux", reason="needs an address space that can be limited")
def test_a_codec_that_runs_out_of_memory_decodes_fewer_frames():
    """In a process with too little memory for 32 frames, fewer go together; the pictures are the same."""
    lines, largest, _ = limited(size=256, batch=32, budget=150)
    assert lines >= 1 and largest < 1e-4


@pytest.mark.skipif(sys.platform != "linux", reason="needs an address space that can be limited")
def test_a_codec_cuts_a_frame_into_tiles_at_last():
    """A frame that does not fit alone goes through in tiles; pictures differ where tiles normalise by themselves."""
    lines, _, mean = limited(size=768, batch=1, budget=90)
    assert lines >= 1 and mean < 0.05


def limited(*, size, batch, budget):
    """Steps down the ladder, and the largest and mean difference of what was decoded, with `budget` MB at hand."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), str(batch), str(budget)], check=True, capture_output=True, text=True
    )
    print(done.stdout)
    lines, largest, mean = done.stdout.splitlines()[0].split()
    return int(lines), float(largest), float(mean)


def test_networks_on_the_cpu_stay_where_they_are(tiny):
    """Nothing is moved or copied where there is no device to spare."""
    weight = tiny.vae.decoder.conv_in.weight
    place = weight.data_ptr()
    with Resident(CPU, tiny.vae):
        assert weight.data_ptr() == place
    assert weight.data_ptr() == place


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_networks_leave_the_gpu_when_nobody_uses_them(tiny):
    """Inside the block they are on the device, nested blocks count as one, afterwards they are off it."""
    vae = tiny.vae
    codec = LatentCodec(vae, height=16, width=16, device=torch.device("cuda"))
    assert vae.device.type == "cpu"
    with codec.resident():
        latents = codec.encode(torch.rand(2, 16, 16, 3))
        assert latents.is_cuda and vae.device.type == "cuda"
    assert codec.decode(latents).is_cuda and vae.device.type == "cpu"
