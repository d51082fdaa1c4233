import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from diffsynth_blender.protocol import (
    Animation,
    BadJobError,
    Control,
    KeyFrames,
    add_redo,
    load_job,
    output_path,
    save_job,
    settings_hash,
)
from diffsynth_blender.protocol.settings_reading import OPTIONAL
from tests.protocol.examples import example_job, example_value

INFINITY, NAN = float("inf"), float("nan")
REMOVE = object()


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str, object], str]:
    """A function that sets one key of a good job file, expects a refusal and returns its message."""
    good = example_value(tmp_path)

    def refused(place: str, value: object) -> str:
        changed = copy.deepcopy(good)
        *parents, key = [int(part) if part.isdigit() else part for part in place.split(".")]
        target = changed
        for parent in parents:
            target = target[parent]
        if value is REMOVE:
            del target[key]
        else:
            target[key] = value
        (tmp_path / "job.json").write_text(json.dumps(changed))
        with pytest.raises(BadJobError) as caught:
            load_job(tmp_path)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'job.json'}: ") and "\n" not in message
        return message.removeprefix(f"{tmp_path / 'job.json'}: ")

    return refused


def test_round_trip(tmp_path: Path) -> None:
    """Read back what was saved, with the same hash, and leave no temporary file."""
    job = example_job()
    save_job(job, tmp_path / "new" / "folder")
    assert load_job(tmp_path / "new" / "folder") == job
    assert settings_hash(load_job(tmp_path / "new" / "folder")) == settings_hash(job)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["job.json"]


def test_every_key_is_required_and_no_other_allowed(tmp_path: Path, refused: Callable[[str, object], str]) -> None:
    """Name each key that is missing, and each that is not known, at every depth."""

    def places(value: object, place: str) -> list[str]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        below = [found for key, item in items for found in places(item, f"{place}{key}.")]
        return ([place] if isinstance(value, dict) else []) + below

    value = example_value(tmp_path)
    checked = 0
    for place in places(value, ""):
        assert "colour is not a known key" in refused(f"{place}colour", 1)
        target = value
        for part in place.split(".")[:-1]:
            target = target[int(part)] if isinstance(target, list) else target[part]
        for key in target:
            if place.endswith("settings.") and key in OPTIONAL:
                continue
            assert key in refused(f"{place}{key}", REMOVE)
            checked += 1
    assert checked > 40


def test_suggests_the_key_that_was_meant(refused: Callable[[str, object], str]) -> None:
    """Say what to write instead of a misspelt key."""
    assert refused("settings.strengh", 0.5) == "settings.strengh is not a known key; remove it or use 'strength'"
    assert "known keys are kind, scale" in refused("settings.controls.0.xyz", 0.5)


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ("version", [0, -1, "1", None, True, 1.0]),
        ("shot.name", ["", 3, None]),
        ("shot.width", [15, 0, -64, 64.0, "64", None, True, 10**6, 10**400]),
        ("shot.height", [15, 64.5]),
        ("shot.fps", [[24], [24, 0], [24, 1, 1], [23.976, 1], 24, [-24, 1]]),
        ("shot.frames", [[], [3, 1], [1, 1], [1, 3, 4], [1, 2.0], [-1_048_575], "1-3", [True, 2]]),
        ("shot.pass_frames", [[], [1, 3, 5], [1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]),
        ("shot.source", ["source/0001.png", "/source/{frame:04d}.png", "../{frame:04d}.png", "a/../../{frame:04d}.png",
                         "{frame}", "{frame:04d}{frame:04d}", "{frame.__class__}", "C:/{frame:04d}.png",
                         "a\\{frame:04d}.png", "", 4]),
        ("shot.channels.depth", [[], ["Z", "Z"], [""], "Z", [3], None]),
        ("shot.background_depth", [0, -1, NAN, INFINITY, "far"]),
        ("shot.sample_offset", [[0], [0, NAN], [0, 0, 0], 0, [True, 0]]),
        ("shot.cameras", [[], {}, None]),
        ("shot.cameras.0.frame", [2, "1"]),
        ("shot.cameras.0.projection", [[], [[1, 0, 0, 0]] * 3, [[1, 0, 0]] * 4, [[1, 0, 0, INFINITY]] * 4,
                                       [[1, 0, 0, "x"]] * 4]),
        ("settings.prompt", [None, 3]),
        ("settings.model", ["", "stable-diffusion", "./model", None]),
        ("settings.seed", [-1, 2**63, 1.5]),
        ("settings.steps", [0, 1001, 20.0, "20"]),
        ("settings.strength", [0, -0.1, 1.01, NAN, INFINITY, "0.5", True, None]),
        ("settings.guidance_scale", [0.99, NAN, INFINITY, 10**400]),
        ("settings.controls", [None, {}, [asdict(Control("depth"))] * 2]),
        ("settings.controls.0.kind", ["pose", 3, ["depth"], None]),
        ("settings.controls.0.end", [0, 1.5, 0.25]),
        ("settings.controls.0.model", ["controlnet", None]),
        ("settings.loras.0.path", ["", "lora.safetensors"]),
        ("settings.loras.0.weight", [11, NAN]),
        ("settings.sampler", ["heun", None]),
        ("settings.noise.kind", ["white", 0]),
        ("settings.noise.fresh", [-0.1, 1.1]),
        ("settings.attention.frames", [[], ["first"], ["self", "self"], ["self", "last"], "self"]),
        ("settings.attention.window", [1, 4.0]),
        ("settings.attention.stride", [0, 9]),
        ("settings.attention.motion", ["on", None]),
        ("settings.reference.image", ["", "../reference.png", "C:reference.png", None]),
        ("settings.reference.ip_adapter", ["adapter"]),
        ("settings.regions.0.objects", [[], "Cube", [""]]),
        ("settings.animation", [None, {}, [asdict(Animation("guidance_scale", (1,), (2.0,)))] * 2]),
        ("settings.animation.0.key", ["seed", "controls.canny.scale", "deflicker.strength", 3]),
        ("settings.animation.0.frames", [[], [3, 1], [1, 1], [1.5, 2], 4]),
        ("settings.animation.0.values", [[], [1], [1, -0.1], [1, NAN], [1, 2, 3]]),
        ("settings.hold_colours", [-1, 2]),
        ("settings.key_frames.every", [1, 2.5]),
        ("settings.upscale", [3, "2", True]),
        ("settings.precision", ["int8"]),
        ("settings.batch", [-1]),
        ("settings.annotators", ["annotators"]),
        ("redos.0.first", [0, 2, "1"]),
        ("redos.0.last", [2, 7]),
        ("settings.deflicker.steps", [[3, 1], [1, 1], [-1], 4]),
        ("settings.deflicker.along", ["flow", None]),
        ("settings.deflicker.window", [[4], [4, 2.0], []]),
        ("settings.deflicker.strength", [[1], [1, 2], [0, NAN]]),
        ("settings.controls.0.scale", [-1, NAN]),
        ("settings.deflicker", [[], 1, True]),
        ("settings.deflicker.interval", [0, 1.5]),
        ("settings.deflicker.skip_last", [-1]),
        ("settings.deflicker.window", [-1, 4.0]),
        ("settings.deflicker.strength", [-0.1, 1.1, NAN]),
        ("settings.device", ["gpu", "", 0]),
        ("settings.baseline", [0, 1, "no", None]),
    ],
)  # fmt: skip
def test_wrong_values(place: str, values: list, refused: Callable[[str, object], str]) -> None:
    """Name the key and what it must be, for each kind of wrong value."""
    key = place.split(".")[-1]
    for value in values:
        message = refused(place, value)
        assert key in message or place.split(".")[-3] in message, value
        assert "must be" in message and len(message) < 400, value


def test_newer_version(refused: Callable[[str, object], str]) -> None:
    """Refuse a newer format naming both versions, even if its keys are unknown too."""
    message = refused("version", 7)
    assert "version 7" in message and "version 3" in message and "update" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": "diffsynth-job", "format": "x"}', b"{}"],
)
def test_not_a_job_file(content: bytes, tmp_path: Path) -> None:
    """Refuse other content in one line naming the file."""
    (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(BadJobError) as caught:
        load_job(tmp_path)
    assert "job.json: " in str(caught.value) and "\n" not in str(caught.value)


def test_no_such_folder(tmp_path: Path) -> None:
    """Say what to give instead of a folder without a job."""
    with pytest.raises(BadJobError, match=r"no such file; give the folder that holds job\.json"):
        load_job(tmp_path / "nowhere")


def test_a_bad_job_is_not_saved(tmp_path: Path) -> None:
    """Refuse to write what could not be read, and leave the old file alone."""
    save_job(example_job(), tmp_path)
    before = (tmp_path / "job.json").read_bytes()
    bad = replace(example_job(), settings=replace(example_job().settings, strength=NAN))
    with pytest.raises(BadJobError, match=r"settings\.strength"):
        save_job(bad, tmp_path)
    assert (tmp_path / "job.json").read_bytes() == before


def test_hash_is_of_all_that_decides_the_result() -> None:
    """Change with the shot and the settings; not with the device or the way a number is written."""
    example = example_job()
    job = replace(example, settings=replace(example.settings, guidance_scale=5.0))
    same = [{"device": "cpu"}, {"guidance_scale": 5}]
    different = [
        {"prompt": "x"},
        {"seed": 1},
        {"strength": 0.81},
        {"deflicker": None},
        {"controls": (Control("depth"),)},
    ]
    hashes = {settings_hash(replace(job, settings=replace(job.settings, **change))) for change in different}
    assert len(hashes | {settings_hash(job)}) == len(different) + 1
    assert {settings_hash(replace(job, settings=replace(job.settings, **change))) for change in same} == {
        settings_hash(job)
    }
    assert settings_hash(replace(job, shot=replace(job.shot, sample_offset=(0.5, 0)))) != settings_hash(job)


def test_redos(tmp_path: Path) -> None:
    """Enter a redo that is asked for again once; refuse one that cannot be run, and leave the file as it was."""
    job = replace(example_job(), redos=())
    save_job(job, tmp_path)
    gold, first = replace(job.settings, prompt="gold", key_frames=None), job.shot.frames[0]
    for _ in range(2):
        assert add_redo(tmp_path, first, first, gold) == load_job(tmp_path)
    assert [redo.settings.prompt for redo in load_job(tmp_path).redos] == ["gold"]
    add_redo(tmp_path, first, first, replace(gold, prompt="ice"))
    add_redo(tmp_path, first, first, gold)
    assert [redo.settings.prompt for redo in load_job(tmp_path).redos] == ["gold", "ice", "gold"]
    content = (tmp_path / "job.json").read_bytes()
    with pytest.raises(BadJobError, match=r"redos\[3\]\.settings\.key_frames cannot be .*set it to null"):
        add_redo(tmp_path, first, first, replace(gold, prompt="clay", key_frames=KeyFrames()))
    assert (tmp_path / "job.json").read_bytes() == content


def test_paths(tmp_path: Path) -> None:
    """Name files by scene frame number with four digits or more."""
    shot = example_job().shot
    assert shot.source_path(tmp_path, 7) == tmp_path / "source" / "0007.png"
    assert shot.passes_path(tmp_path, 12345) == tmp_path / "passes" / "12345.exr"
    assert output_path(tmp_path, 7) == tmp_path / "output" / "0007.png"


def test_needs_the_standard_library_only() -> None:
    """Import protocol and client in a fresh interpreter without any installed package."""
    code = "import diffsynth_blender.client, diffsynth_blender.protocol"
    subprocess.run([sys.executable, "-S", "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=60)
