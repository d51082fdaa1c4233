"""How exact motion is over 16 frames: positions and visibility against the closed form.

Visible is a point of the target's surface if the ray through its exact image in the source frame meets it first, from
whichever side (`Scene.field`). That truth is sharper than any frame: a source frame knows its surfaces at pixel centres
only, so within half a pixel of a silhouette no method can know which side a position is on. The figures count these
pixels, too; nothing is left out.
"""

from functools import cache

import numpy as np
import pytest

from diffsynth_blender.motion.clip import Clip
from tests.reference.clips import clip_of
from tests.reference.crowd import BALL_IDS, ROD_IDS, crowded_scene, round_scene
from tests.reference.scene import Scene

FRAMES = range(1, 18)
PAIRS = [(0, 16), (16, 0), (0, 8), (12, 4), (5, 6)]
SCENES = {"crowd": crowded_scene(), "round": round_scene()}


@cache
def clip(name: str, matrices: bool) -> Clip:
    """Return a scene as a clip, with or without the matrices of its objects."""
    scene = SCENES[name]
    return clip_of(scene, FRAMES, keep=len(FRAMES), objects=scene.objects if matrices else None)


def seen_throughout(scene: Scene, target: int, source: int) -> np.ndarray:
    """Return which pixels of the target can be followed without a gap: visible in every frame on the way."""
    step = 1 if source > target else -1
    truth = [scene.field(target + 1, frame + 1)[..., 2] > 0 for frame in range(target + step, source + step, step)]
    # Background needs no way: two cameras say where it is.
    return truth[-1] & (np.all(truth, axis=0) | (scene.passes(target + 1).object_id == 0))


def figures(found: np.ndarray, true: np.ndarray, wanted: np.ndarray) -> tuple[float, float, float]:
    """Return mean position error [px], precision, and recall of the pixels `wanted`."""
    said, is_so = found[..., 2] > 0, true[..., 2] > 0
    both = said & is_so
    error = np.linalg.norm(found[both][:, :2] - true[both][:, :2], axis=-1)
    return float(error.mean()), both.sum() / said.sum(), (said & wanted).sum() / wanted.sum()


@pytest.mark.parametrize(("target", "source"), PAIRS)
@pytest.mark.parametrize("name", SCENES)
def test_with_matrices_all_that_is_seen_is_found(name, target, source):
    """Rods, crossings, turning balls, entering and leaving: hidden in between or not."""
    scene = SCENES[name]
    found, true = clip(name, True).field(target, source), scene.field(target + 1, source + 1)
    error, precision, recall = figures(found, true, true[..., 2] > 0)
    print(f"\n{name} {target}->{source}: error {error:.5f} px, precision {precision:.4f}, recall {recall:.4f}")
    assert error < 1e-3
    assert precision >= 0.995
    assert recall >= 0.98


@pytest.mark.parametrize(("target", "source"), PAIRS)
@pytest.mark.parametrize("name", SCENES)
def test_without_matrices_all_that_can_be_followed_is_found(name, target, source):
    """Composition alone: as exact, but what is hidden on the way is lost."""
    scene = SCENES[name]
    found, true = clip(name, False).field(target, source), scene.field(target + 1, source + 1)
    error, precision, recall = figures(found, true, seen_throughout(scene, target, source))
    print(f"\n{name} {target}->{source}: error {error:.5f} px, precision {precision:.4f}, recall {recall:.4f}")
    assert error < 0.1
    assert precision >= 0.995
    assert recall >= 0.98


@pytest.mark.parametrize(("target", "source"), PAIRS)
@pytest.mark.parametrize(("name", "ids"), [("crowd", ROD_IDS), ("round", BALL_IDS)])
def test_thin_rods_and_rims_are_no_exception(name, ids, target, source):
    """Silhouettes are most of a rod and much of a ball: both figures hold there with a few per cent of tolerance."""
    scene = SCENES[name]
    only = np.isin(scene.passes(target + 1).object_id, ids)
    found, true = clip(name, True).field(target, source)[only], scene.field(target + 1, source + 1)[only]
    error, precision, recall = figures(found, true, true[..., 2] > 0)
    print(f"\n{name} {target}->{source}: error {error:.5f} px, precision {precision:.4f}, recall {recall:.4f}")
    assert only.sum() > 200
    assert error < 1e-3
    assert precision >= 0.96
    assert recall >= 0.96
