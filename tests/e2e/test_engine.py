"""What a job can ask of the synthesis engine, each through the worker on a job folder, with a tiny model."""

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from diffsynth_blender.protocol import (
    Animation,
    Attention,
    Control,
    Deflicker,
    KeyFrames,
    Noise,
    Reference,
    Region,
    load_job,
)
from tests.e2e.job_folder import without_passes, write_job_folder


def hashes(job_dir, folder="output"):
    """Of the pixels: the files also say how they were made."""
    paths = sorted((job_dir / folder).iterdir())
    return {path.name: hashlib.sha256(np.asarray(Image.open(path)).tobytes()).hexdigest() for path in paths}


def pictures(job_dir, folder="output"):
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in sorted((job_dir / folder).iterdir())])


@pytest.fixture(scope="module")
def plain(tiny_model, run_worker, tmp_path_factory):
    """Results of a job with the defaults, by file name."""
    job_dir = tmp_path_factory.mktemp("plain") / "job"
    write_job_folder(job_dir, model=tiny_model, frames=4)
    assert run_worker("run", job_dir).returncode == 0
    return hashes(job_dir)


@pytest.fixture
def run_job(tiny_model, run_worker, tmp_path):
    """Run a new job with some settings to its end; returns its folder."""
    count = 0

    def run(*, frames=5, ok=True, **settings):
        nonlocal count
        count += 1
        job_dir = tmp_path / f"job{count}"
        write_job_folder(job_dir, model=tiny_model, frames=frames, **settings)
        done = run_worker("run", job_dir)
        assert not ok or done.returncode == 0, done.stderr
        return job_dir if ok else done

    return run


@pytest.mark.parametrize(
    "settings",
    [
        {"noise": Noise("surface", 0.1)},
        {"noise": Noise("independent")},
        {"attention": Attention(window=4, stride=2)},
        {"attention": Attention(("self",), 4, 2, "trajectory")},
        {"attention": Attention(("previous", "self"), 4, 2, "correspondence")},
        {"hold_colours": 1.0},
        {"deflicker": Deflicker(steps=(0, 2), window=(3, 1), strength=(1.0, 0.5))},
        {"deflicker": Deflicker(window=1, along="matched")},
        {"sampler": "unipc"},
        {"sampler": "lcm", "steps": 4},
        {"strength": 1.0},
        {"prompt": "(clay:1.4) " + "word " * 40},
        {"controls": (Control("depth", end=0.5),)},
    ],
    ids=str,
)
def test_every_choice_changes_the_picture(plain, run_job, settings):
    """A setting that reaches the engine gives other frames than the defaults."""
    chosen = hashes(run_job(frames=4, **settings))
    assert plain.keys() == chosen.keys()
    assert all(plain[name] != now for name, now in chosen.items())


def test_values_that_change_along_the_shot(run_job):
    """Animated values are those of the scene frames they were given for, and constant before and after."""
    apart = {"deflicker": None, "frames": 4}
    low, high = (pictures(run_job(guidance_scale=value, **apart)) for value in (1.5, 4.0))
    animated = pictures(run_job(animation=(Animation("guidance_scale", (2, 3), (1.5, 4.0)),), **apart))
    expected = np.concatenate([low[:2], high[2:]])
    assert np.abs(animated.astype(int) - expected).max() <= 1 < np.abs(low.astype(int) - high).max()
    steady = {"deflicker": Deflicker(final=True), "frames": 4}
    fading = Animation("deflicker.strength", (1, 4), (0.0, 1.0))
    plain = pictures(run_job(**steady))
    faded = pictures(run_job(animation=(fading,), **steady))
    assert (faded[0] != plain[0]).any()


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "unipc", "tcd"])
def test_samplers_with_a_memory_go_on_to_the_same_bits(
    run_job, tiny_model, start_worker, run_worker, tmp_path, sampler
):
    """Kill the worker while it denoises: what the sampler remembers is on disk."""
    whole = run_job(frames=3, sampler=sampler)
    job_dir = tmp_path / "killed"
    write_job_folder(job_dir, model=tiny_model, frames=3, sampler=sampler)
    worker = start_worker("run", job_dir, "--json")
    for line in worker.stdout:
        if '"denoise", "step": 2' in line:
            break
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert run_worker("run", job_dir).returncode == 0
    assert hashes(job_dir) == hashes(whole)


def test_outside_its_regions_a_shot_stays_as_it_is(run_job):
    """Pixels of no chosen object are the source's bytes; those of the object change; its own prompt counts."""
    gold = run_job(frames=3, regions=(Region(("card",), "gold"),), keep_rest=True)
    source, result = pictures(gold, "source"), pictures(gold)
    changed = (source != result).any(-1)
    assert 0.01 < changed.mean() < 0.9
    clay = run_job(frames=3, regions=(Region(("card",), "zzz"),), keep_rest=True)
    outside = ~(changed | (pictures(clay) != source).any(-1))
    assert outside.mean() > 0.1
    assert (pictures(clay) != result).any()


def test_key_frames_are_carried_and_repaired(run_job):
    """Every frame is made, key frames alone by the model, and what none of them shows is restyled in the others."""
    settings = {"key_frames": KeyFrames(3), "deflicker": Deflicker(window=1)}
    with_repair = run_job(frames=6, **settings)
    assert len(hashes(with_repair)) == 6
    without = run_job(frames=6, **{**settings, "key_frames": KeyFrames(3, repair=False)})
    keys = {"0001.png", "0004.png", "0006.png"}
    same = {name for name, digest in hashes(without).items() if hashes(with_repair)[name] == digest}
    assert keys <= same
    assert same != set(hashes(without))


def test_a_reference_picture_is_looked_at(run_job, tmp_path):
    """Another picture gives other frames."""
    results = set()
    for colour in ("red", "blue"):
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (50, 30), colour).save(path)
        results.add(tuple(hashes(run_job(frames=2, reference=Reference(str(path)))).values()))
    assert len(results) == 2


def test_a_vae_of_ones_own(plain, run_job, tiny_model, tmp_path):
    """Another VAE gives other frames; a file that is none is refused with exit code 3, in one sentence."""
    vae = AutoencoderKL.from_pretrained(tiny_model, subfolder="vae")
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.mul_(0.9)
    vae.save_pretrained(tmp_path / "vae")
    chosen = hashes(run_job(frames=4, vae=str(tmp_path / "vae")))
    assert all(plain[name] != now for name, now in chosen.items())
    done = run_job(frames=2, ok=False, vae=str(Path(tiny_model, "unet", "diffusion_pytorch_model.safetensors")))
    assert done.returncode == 3 and "only a U-Net; choose a VAE" in done.stderr.splitlines()[-1]


def test_footage_without_passes(run_job, tiny_model, run_worker, tmp_path):
    """Frames alone are enough: motion is matched, the control estimated."""
    job_dir = tmp_path / "footage"
    write_job_folder(job_dir, model=tiny_model, frames=3, controls=(), deflicker=Deflicker(window=1))
    without_passes(job_dir)
    assert load_job(job_dir).shot.passes is None
    done = run_worker("run", job_dir)
    assert done.returncode == 0, done.stderr
    assert len(hashes(job_dir)) == 3


def test_larger_frames(run_job):
    """Super-resolution comes first; the result has its size."""
    job_dir = run_job(frames=2, upscale=2, steps=2)
    assert pictures(job_dir).shape == (2, 96, 128, 3)


def test_what_needs_passes_is_refused_without(tiny_model, run_worker, tmp_path):
    """Exit with 2 and name the setting."""
    job_dir = tmp_path / "footage"
    write_job_folder(job_dir, model=tiny_model, frames=2, noise=Noise("surface"), controls=())
    without_passes(job_dir)
    done = run_worker("run", job_dir)
    assert done.returncode == 2 and "settings.noise.kind" in done.stderr, done.stderr
