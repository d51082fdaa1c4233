"""Jobs whose files do not belong together: refused in a sentence by the worker that serves on, or made all the same."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from diffsynth_blender.protocol import load_job, save_job
from diffsynth_blender.protocol.objects import load_objects, save_objects
from tests.e2e.job_folder import write_job_folder
from tests.faults.served import Served
from tests.faults.wrong import is_refusal, tree, tried
from tests.reference.exr_files import write_exr
from tests.reference.scene import demo_scene

SIZE = (32, 16)
"""Of the frames of the jobs below [px]."""


def passes_wrong(what: str):
    """A fault: the passes of frame 2 with other numbers in them."""

    def apply(job_dir: Path) -> None:
        path = job_dir / "passes" / "0002.exr"
        with OpenEXR.File(str(path), separate_channels=True) as file:
            found = {name: np.array(channel.pixels) for name, channel in file.channels().items()}
        names = {"depth": "exact.Depth.Z", "vector": "exact.Vector.X", "normal": "exact.Normal.X"}
        match what.split():
            case ["NaN", name]:
                found[names[name]][3, 5] = np.nan
            case ["infinite", name]:
                found[names[name]][3, 5] = np.inf
            case ["negative", "depth"]:
                found["exact.Depth.Z"] *= -1
            case ["zero", "depth"]:
                found["exact.Depth.Z"][:8] = 0
            case ["other", "camera"]:
                for axis in "XYZ":
                    found[f"exact.Position.{axis}"] += 1.5
            case ["half", "ids"]:
                found["exact.CryptoObject00.r"] = found["exact.CryptoObject00.r"].astype(np.float16)
        write_exr(path, found, OpenEXR.ZIP_COMPRESSION)

    return apply


def job_wrong(change):
    """A fault: the job file, or what lies beside it, does not belong to the rest."""

    def apply(job_dir: Path) -> None:
        job = load_job(job_dir)
        save_job(replace(job, shot=change(job.shot)), job_dir)

    return apply


def moved(shot):
    """Every camera elsewhere in the world."""

    def elsewhere(matrix):
        first, *others = matrix
        return ((*first[:3], first[3] + 2.0), *others)

    return replace(shot, cameras=tuple(replace(c, world_to_camera=elsewhere(c.world_to_camera)) for c in shot.cameras))


def lens(scale: float, rows: tuple[int, ...] = (0, 1, 2, 3)):
    """Every projection with so much of what it was in some rows; the same in all of x, y and w is the same lens."""

    def scaled(projection):
        return tuple(
            (*(value * scale for value in row[:3]), row[3]) if number in rows else row
            for number, row in enumerate(projection)
        )

    def change(shot):
        return replace(shot, cameras=tuple(replace(c, projection=scaled(c.projection)) for c in shot.cameras))

    return change


def huge_matrices(job_dir: Path) -> None:
    for path in (job_dir / "passes").glob("*.objects.json"):
        save_objects({id: ((1e300,) * 4,) * 4 for id in load_objects(path)}, path)


def replaced(name: str, content: bytes):
    def apply(job_dir: Path) -> None:
        (job_dir / name).write_bytes(content)

    return apply


def removed(name: str):
    def apply(job_dir: Path) -> None:
        (job_dir / name).unlink()

    return apply


def picture_of(size: tuple[int, int], mode: str = "RGB"):
    def apply(job_dir: Path) -> None:
        Image.new(mode, size).save(job_dir / "source" / "0002.png")

    return apply


FAULTS = {
    **{what: passes_wrong(what) for what in (
        "NaN depth", "NaN vector", "infinite normal", "infinite depth", "negative depth", "zero depth", "other camera",
        "half ids",
    )},
    "cameras in another place": job_wrong(moved),
    "cameras of another lens": job_wrong(lens(3.0, rows=(0, 1))),
    "cameras that project nothing": job_wrong(lens(0.0)),
    "cameras without end": job_wrong(lens(1e200, rows=(0, 1))),
    "samples elsewhere": job_wrong(lambda shot: replace(shot, sample_offset=(1e300, -40.0))),
    "a larger shot": job_wrong(lambda shot: replace(shot, width=65_536, height=65_536)),
    "a smaller shot": job_wrong(lambda shot: replace(shot, width=16, height=16)),
    "channels that are not there": job_wrong(
        lambda shot: replace(shot, channels={**shot.channels, "depth": ("two\nlines\x1b[2J",)})
    ),
    "one frame more": job_wrong(
        lambda shot: replace(
            shot, frames=(1, 2, 3), pass_frames=(1, 2, 3), cameras=(*shot.cameras, replace(shot.cameras[0], frame=3))
        )
    ),
    "a frame removed": removed("source/0002.png"),
    "passes removed": removed("passes/0001.exr"),
    "matrices removed": removed("passes/0002.objects.json"),
    "a frame that is a text": replaced("source/0001.png", b"a text"),
    "passes that are a text": replaced("passes/0001.exr", b"a text"),
    "a journal that is a text": replaced("journal.jsonl", b"a text\n"),
    "a frame of another size": picture_of((64, 48)),
    "a frame of a pixel": picture_of((1, 1)),
    "a frame of real numbers": replaced("source/0002.png", b"II*\0"),
}  # fmt: skip
HARMLESS = {
    "background everywhere": job_wrong(lambda shot: replace(shot, background_depth=1e-300)),
    "cameras of the same lens in other numbers": job_wrong(lens(3.0)),
    "matrices without end, which no motion agrees with": huge_matrices,
    "a grey frame": picture_of(SIZE, "L"),
    "a frame with alpha": picture_of(SIZE, "RGBA"),
    "a frame of 16 bits": picture_of(SIZE, "I;16"),
}
"""What is read like any other."""


@pytest.mark.timeout(1800)
def test_a_job_with_wrong_files(tiny_model, tmp_path, fault_seed, times, tally):
    """Each is refused in one sentence that names a file, in the worker that serves on; the folder is left as it was."""
    names = random.Random(fault_seed).sample(list(FAULTS), times(10, len(FAULTS)))
    with Served() as worker:
        for name in names:
            folder = tmp_path / name / "job"
            write_job_folder(folder, model=tiny_model, frames=2, scene=demo_scene(*SIZE), steps=2)
            FAULTS[name](folder)
            before = tree(folder / "source", folder / "passes")
            with tried(tally, "job with a wrong file"):
                told = worker.run(folder)
                assert told.kind == "bad_job" and is_refusal(told.message), (name, told)
                assert str(folder) in told.message or "job.json" in told.message, (name, told)
                assert tree(folder / "source", folder / "passes") == before
                assert [path.name for path in (tmp_path / name).iterdir()] == ["job"]
        for name in list(HARMLESS)[: times(1, len(HARMLESS))]:
            folder = tmp_path / name
            write_job_folder(folder, model=tiny_model, frames=2, scene=demo_scene(*SIZE), steps=2)
            HARMLESS[name](folder)
            with tried(tally, "job with an unusual file"):
                assert worker.run(folder).is_done, name
