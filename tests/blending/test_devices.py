"""One kernel source for the processor and for CUDA."""

import importlib

import numpy as np
import pytest
import warp as wp

from diffsynth_blender.blending.smoother import Smoother
from tests.reference.clips import clip_of, pictures_of
from tests.reference.scene import demo_scene

KERNEL_MODULES = [
    "motion.kernels",
    "motion.walk_kernels",
    "motion.rigid_kernels",
    "patchmatch.kernels",
    "patchmatch.start",
    "patchmatch.refine",
    "patchmatch.vote",
    "patchmatch.pyramid",
    "blending.links",
    "blending.linear",
    "blending.moving",
    "blending.guide_light",
    "blending.registration",
    "blending.mixing",
    "blending.matched_links",
    "blending.fill",
    "blending.metrics",
]


@pytest.mark.parametrize("name", KERNEL_MODULES)
def test_kernels_compile_for_cuda(name, tmp_path):
    """NVRTC is part of Warp, so this needs no GPU; 75 is the oldest architecture that Warp supports."""
    module = importlib.import_module(f"diffsynth_blender.{name}")
    made = wp.compile_aot_module(module, arch=75, module_dir=tmp_path, use_ptx=True)
    assert all(path.stat().st_size > 1000 for path in made) and made


@pytest.mark.skipif(not wp.is_cuda_available(), reason="needs a CUDA device")
def test_cuda_and_the_processor_agree():
    """The same fields to 1e-3 px, and the same colours but where a link was rounded the other way."""
    scene, frames = demo_scene(96, 64), range(1, 8)
    pictures = pictures_of(scene, frames)
    styled = np.clip(pictures + np.random.default_rng(0).normal(size=pictures.shape) * 0.05, 0, 1).astype(np.float32)
    clips = [clip_of(scene, frames, device=device) for device in ("cpu", "cuda:0")]
    fields = [clip.field(1, 5) for clip in clips]
    np.testing.assert_allclose(fields[1], fields[0], atol=1e-3)
    host, device = (Smoother(clip, pictures.__getitem__, mode="balanced", window=2).smooth(styled) for clip in clips)
    assert np.quantile(np.abs(device - host), 0.99) < 1e-4
    on_device = wp.array(styled, dtype=wp.vec3, device="cuda:0")
    smoothed = Smoother(clips[1], pictures.__getitem__, mode="balanced", window=2).smooth(on_device)
    assert smoothed.device == on_device.device
    np.testing.assert_array_equal(smoothed.numpy(), device)
