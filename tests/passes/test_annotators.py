"""Laws of estimated controls, with the real annotators that need no weights, and the errors of those that do."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from diffsynth_blender.passes.annotators import (
    ANNOTATORS,
    QUANTILES,
    WITHOUT_WEIGHTS,
    Estimator,
    annotators_of,
    clip_values,
    finish,
    shuffle,
)
from diffsynth_blender.passes.errors import PassError
from tests.reference.scene import demo_scene

HED = ("ControlNetHED.pth",)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return demo_scene(80, 50).picture(1, samples=2).astype(np.float32)


def card(height: int = 50, width: int = 80) -> np.ndarray:
    """A black card on white, borders off the multiples of 64."""
    picture = np.ones((height, width, 3), np.float32)
    picture[12:38, 20:61] = 0.0
    return picture


def test_canny_lines_lie_on_borders():
    """Thin white lines on black, within a pixel of the card's border, at the frame's own size."""
    estimate = Estimator("canny").estimate(card())
    control = finish("picture", estimate, 0.0, 1.0)
    assert control.shape == (50, 80, 3) and set(np.unique(control)) == {0.0, 1.0}
    lines = control[..., 0] > 0
    near = np.zeros((50, 80), bool)
    near[10:40, 18:63] = True
    near[15:35, 23:58] = False
    assert lines.any() and not (lines & ~near).any()


def test_line_art_is_normalised_over_the_clip():
    """A frame looks the same to the model whatever other frames hold; a range of its own would make it flicker."""
    estimator = Estimator("lineart_standard")
    faint = 1.0 - 0.2 * (1.0 - card())
    estimates = [estimator.estimate(picture) for picture in (card(), faint)]
    values = np.concatenate([clip_values("darkness", estimate) for estimate in estimates])
    low, high = np.quantile(values, QUANTILES["darkness"])
    strong, weak = (finish("darkness", estimate, low, high) for estimate in estimates)
    assert strong.max() > 1.5 * weak.max() > 0.0
    assert strong.shape == (50, 80, 3) and strong[:5].max() == 0.0


@pytest.mark.parametrize("value", ["inverse_depth", "depth"])
def test_depth_is_white_near_and_in_the_clips_range(value):
    """Both kinds of depth end up with near white, far black, by one range for all frames."""
    distance = np.float32([[1.0, 2.0, 4.0]])
    estimates = [distance if value == "depth" else 1 / distance, 2 * distance if value == "depth" else 0.5 / distance]
    values = np.concatenate([clip_values(value, estimate) for estimate in estimates])
    first, second = (finish(value, estimate, values.min(), values.max())[0, :, 0] for estimate in estimates)
    assert first[0] == 1.0 and second[-1] == 0.0
    np.testing.assert_allclose(first[1], second[0], atol=1e-6)


def test_shuffle_keeps_colours_and_loses_shapes(frame):
    """The same seed gives the same picture, another seed another; colours are those of the picture."""
    before = np.random.get_state()[1].copy()
    one = shuffle(frame, 48, 64, seed=3)
    assert one.shape == (48, 64, 3) and (one == shuffle(frame, 48, 64, seed=3)).all()
    assert np.abs(one - shuffle(frame, 48, 64, seed=4)).mean() > 0.01
    assert one.min() >= frame.min() - 0.05 and one.max() <= frame.max() + 0.05
    assert (np.random.get_state()[1] == before).all()


def test_weights_that_are_missing_are_named(tmp_path):
    """Without a folder the files it needs; with one, the file that is not there."""
    with pytest.raises(PassError, match=r"'hed' needs weights \(ControlNetHED.pth\): set settings.annotators"):
        Estimator("hed", "", HED)
    with pytest.raises(PassError, match=r"ControlNetHED\.pth: no such file, annotator 'hed' needs it"):
        Estimator("hed", str(tmp_path), HED)
    (tmp_path / "ControlNetHED.pth").write_bytes(b"not weights")
    with pytest.raises(PassError, match="the weights of annotator 'hed' cannot be loaded"):
        Estimator("hed", str(tmp_path), HED)


def test_weights_are_loaded_from_the_folder(tmp_path, frame):
    """A real network of an annotator with weights, here random ones, makes a control."""
    import torch

    from diffsynth_blender.passes.annotators import submodule

    torch.manual_seed(0)
    network = submodule("hed").ControlNetHED_Apache2()
    torch.save(network.state_dict(), tmp_path / "ControlNetHED.pth")
    control = finish("picture", Estimator("hed", str(tmp_path), HED).estimate(frame), 0.0, 1.0)
    assert control.shape == frame.shape and 0.0 <= control.min() <= control.max() <= 1.0


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is there")
def test_what_needs_torchvision_says_so():
    """By the name of the annotator, with what to do."""
    with pytest.raises(PassError, match=r"'midas' needs torchvision, which cannot be imported here .*: choose another"):
        Estimator("midas")


def test_the_table_is_whole():
    """Every kind that is estimated has a name; those without weights need none."""
    assert {
        kind: annotators_of(kind) != [] for kind in ("depth", "normal", "softedge", "lineart", "canny")
    } == dict.fromkeys(("depth", "normal", "softedge", "lineart", "canny"), True)
    for kind, name in WITHOUT_WEIGHTS.items():
        assert ANNOTATORS[name].kind == kind and not ANNOTATORS[name].has_weights


def test_one_annotator_does_not_import_the_others():
    """Canny in a fresh interpreter leaves the others, and torchvision, alone."""
    code = (
        "import sys; from diffsynth_blender.passes.annotators import Estimator; Estimator('canny');"
        "print([name for name in sys.modules if name.startswith(('torchvision', 'controlnet_aux.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['controlnet_aux.util', 'controlnet_aux.canny']"
