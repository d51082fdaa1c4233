"""Laws of corresponding tokens, against motion known in closed form."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffsynth_blender.diffusion.attention import FrameAttention
from diffsynth_blender.worker.token_paths import TokenPaths
from diffsynth_blender.writing import WriteError
from tests.reference.clips import clip_of
from tests.reference.scene import demo_scene
from tests.tiny_model import TEXT_CHANNELS, make_tiny_model

WIDTH, HEIGHT = 92, 61
FRAMES = range(1, 7)
SIZE, FACTOR = (16, 23), 4


@pytest.fixture(scope="module")
def scene():
    return demo_scene(WIDTH, HEIGHT, speed=2.0)


@pytest.fixture
def paths(scene, tmp_path):
    clip = clip_of(scene, FRAMES, objects=scene.objects)
    return TokenPaths(clip, tmp_path / "tokens", latent_size=SIZE, factor=FACTOR, window=5)


@pytest.mark.parametrize("grid", [(16, 23), (8, 12), (4, 6), (2, 3), (1, 1)])
def test_tokens_go_where_their_middles_go(scene, paths, grid):
    """On every level a token leads to the one that holds the image of its middle pixel, and only where that is seen."""
    h, w = grid
    side = FACTOR * {16: 1, 8: 2, 4: 4, 2: 8, 1: 16}[h] * (2 if grid == (1, 1) else 1)
    for target, source in ((0, 4), (3, 2)):
        found = paths(target, source, h, w).reshape(h, w)
        assert found.dtype == torch.int64 and found.max() < h * w
        true = scene.field(target + 1, source + 1)
        wrong = 0
        for row in range(h):
            for column in range(w):
                y, x = min(int((row + 0.5) * side), HEIGHT - 1), min(int((column + 0.5) * side), WIDTH - 1)
                there = true[y, x]
                expected = int((there[1] + 0.5) // side) * w + int((there[0] + 0.5) // side) if there[2] else -1
                wrong += expected != found[row, column]
        # Visibility at a silhouette, and positions within rounding of a token's border, may go either way.
        assert wrong <= max(1, 0.03 * h * w)


def test_a_static_shot_leads_every_token_to_itself(tmp_path):
    """Nothing moves: the identity on every level, also for tokens that lie half beyond the picture."""
    clip = clip_of(demo_scene(WIDTH, HEIGHT, speed=0.0), FRAMES)
    paths = TokenPaths(clip, tmp_path / "tokens", latent_size=SIZE, factor=FACTOR, window=3)
    for h, w in ((16, 23), (8, 12), (4, 6)):
        found = paths(2, 1, h, w)
        assert (found == torch.arange(h * w)).float().mean() > 0.97
        assert ((found == torch.arange(h * w)) | (found == -1)).all()


def test_motion_is_asked_once(scene, tmp_path):
    """Levels, layers and steps share one field for each pair of frames; pairs beyond a window are refused."""
    asked = []

    class Counted:
        frames, width, height = tuple(FRAMES), WIDTH, HEIGHT

        def field(self, target, source):
            asked.append((target, source))
            return scene.field(target + 1, source + 1).astype(np.float32)

    paths = TokenPaths(Counted(), tmp_path / "tokens", latent_size=SIZE, factor=FACTOR, window=3)
    for _ in range(2):
        for grid in ((16, 23), (8, 12)):
            for target, source in ((0, 1), (1, 0), (2, 0)):
                paths(target, source, *grid)
    assert sorted(asked) == [(0, 1), (1, 0), (2, 0)]
    with pytest.raises(ValueError, match="window of 3"):
        paths(0, 3, *SIZE)


@pytest.mark.parametrize("motion", ["trajectory", "correspondence"])
def test_attention_takes_them(paths, motion):
    """A real network of several levels runs with them, at a size that no level divides."""
    network = make_tiny_model().network
    attention = FrameAttention(("first", "self"), motion=motion, correspond=paths)
    attention.attach(network)
    attention.begin_step()
    attention.batch(torch.arange(3), 1)
    latents = torch.randn(3, 4, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = network(latents, torch.tensor(500), torch.zeros(3, 2, TEXT_CHANNELS), return_dict=False)[0]
    assert found.isfinite().all()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' device that is always full")
def test_a_full_disk_is_told(scene):
    """What there is no room for raises, where a mapped file would end the process."""
    clip = clip_of(scene, FRAMES, objects=scene.objects)
    paths = TokenPaths(clip, Path("/dev/full"), latent_size=SIZE, factor=FACTOR, window=5)
    with pytest.raises(WriteError, match="No space"):
        paths(0, 1, *SIZE)
