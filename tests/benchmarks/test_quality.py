"""Laws of the benchmark's own measures and of its flicker: a wrong ruler would let wrong work pass."""

import numpy as np
import pytest

from tests.benchmarks.clips.flicker import LARGEST_STEP, flicker, move, smooth_noise, warp_field
from tests.benchmarks.clips.load import box_mean
from tests.benchmarks.paper_matching import identity, upsample
from tests.benchmarks.promises import check_promises
from tests.benchmarks.quality import detail_sums, gaussian, high_pass, psnr

HEIGHT, WIDTH = 48, 64


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.2, 0.8, (HEIGHT, WIDTH, 3)).astype(np.float32)


def test_flicker_is_the_same_for_a_seed_and_another_for_each_frame(picture: np.ndarray) -> None:
    """Seeded, and independent from frame to frame and from clip to clip."""
    assert np.array_equal(flicker(picture, 3), flicker(picture, 3))
    assert not np.allclose(flicker(picture, 3), flicker(picture, 4))
    assert not np.allclose(flicker(picture, 3), flicker(picture, 3, seed=1))


def test_flicker_stays_in_range_and_has_the_stated_strength() -> None:
    """Cast and texture together are sqrt(8**2 + 10**2) / 255; on an even grey the warps change nothing."""
    grey = np.full((96, 128, 3), 0.5, np.float32)
    frames = np.stack([flicker(grey, index) for index in range(24)])
    assert frames.min() >= 0.0 and frames.max() <= 1.0 and frames.dtype == np.float32
    assert 255 * np.sqrt(np.mean((frames - grey) ** 2)) == pytest.approx(np.hypot(8, 10), rel=0.15)


def test_smooth_noise_has_its_variance_and_correlation() -> None:
    """Variance 1; the correlation of white noise smoothed by a Gaussian falls to exp(-1) at twice its deviation."""
    noise = smooth_noise(np.random.default_rng(2), 256, 256, 3, 2.0)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    assert np.mean(noise[:, :-4] * noise[:, 4:]) == pytest.approx(np.exp(-1), abs=0.06)
    assert abs(np.mean(noise[0] * noise[-1])) < 0.35  # and does not wrap around


def test_the_longest_local_warp_is_one_pixel() -> None:
    """Up to 1 px, reached."""
    field = warp_field(np.random.default_rng(3), HEIGHT, WIDTH)
    assert np.linalg.norm(field, axis=-1).max() == pytest.approx(LARGEST_STEP)


def test_moving_by_whole_pixels_is_exact(picture: np.ndarray) -> None:
    """Catmull-Rom goes through its samples."""
    field = np.broadcast_to([2.0, -1.0], (HEIGHT, WIDTH, 2))
    assert np.allclose(move(picture, field)[1:, :-2], picture[:-1, 2:], atol=1e-6)


def test_detail_counts_what_survives_and_no_noise(picture: np.ndarray) -> None:
    """1 for the truth, its factor for a weakened truth, unmoved by independent noise, far below 1 for a blur."""
    noise = np.random.default_rng(4).normal(0, 0.1, picture.shape)
    blurred = np.stack([gaussian(picture[..., c], 2.0) for c in range(3)], axis=-1)

    def detail(result: np.ndarray) -> float:
        shared, power = detail_sums(result, picture)
        return float(shared.sum() / power.sum())

    assert detail(picture) == pytest.approx(1.0)
    assert detail(0.5 + 0.6 * (picture - 0.5)) == pytest.approx(0.6, abs=1e-6)
    assert detail(picture + noise) == pytest.approx(1.0, abs=0.05)
    assert detail(blurred) < 0.1


def test_the_high_pass_of_an_even_picture_is_nothing() -> None:
    """Up to its edges."""
    assert np.abs(high_pass(np.full((HEIGHT, WIDTH, 3), 0.7))).max() < 1e-12


def test_psnr_of_a_known_error() -> None:
    """20 dB for a tenth of the range."""
    assert psnr(0.01) == pytest.approx(20.0)
    assert psnr(0.0) == float("inf")


def test_box_mean_is_the_mean_of_squares(picture: np.ndarray) -> None:
    """Against the square itself, and of constants up to the edges."""
    assert np.allclose(box_mean(picture, 2)[10, 20], picture[8:13, 18:23].mean(axis=(0, 1)))
    assert np.allclose(box_mean(np.ones((HEIGHT, WIDTH, 1)), 3), 1.0)


@pytest.mark.parametrize("size", [(24, 32), (25, 33)])
def test_upsampling_the_identity_gives_the_identity(size: tuple[int, int]) -> None:
    """Also for odd sides."""
    half = identity((size[0] // 2, size[1] // 2))
    assert np.array_equal(upsample(half, size)[: 2 * half.shape[0], : 2 * half.shape[1]], identity(size)[:24, :32])


def row(name: str, **figures: float) -> dict:
    common = {"psnr": 30.0, "detail": 0.9, "psnr_disoccluded": 28.0, "psnr_changing": 28.0}
    return {"clip": "rigid", "row": name, "truth_warp_error": 1e-3, "error_flicker": 1e-3, **common, **figures}


def test_promises_fail_where_a_lead_is_missing() -> None:
    """Half a decibel is asked for in PSNR, any lead elsewhere; rows of our own are no rivals."""
    rival = row("exact plain mean", detail=0.95)
    lines = check_promises([rival, row("fast", psnr=40.0), row("accurate", psnr=30.4)], "accurate")
    held = [line.split()[0] for line in lines]
    assert held == ["FAIL", "FAIL", "FAIL", "FAIL", "pass"]
    better = row("accurate", psnr=30.6, detail=0.96, psnr_disoccluded=28.1, psnr_changing=28.1)
    assert all(line.startswith("pass") for line in check_promises([rival, better], "accurate"))


def test_promises_on_flicker_are_relative_to_the_truth() -> None:
    """At most 1.2 times the truth's own floor on the rigid clip."""
    flickering = row("accurate", error_flicker=1.3e-3)
    assert check_promises([row("identity"), flickering], "accurate")[-1].startswith("FAIL")
