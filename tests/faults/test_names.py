"""Names that mean something to a shell, a file system or a terminal: nothing is written outside the job's folder."""

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from diffsynth_blender.client import start_detached
from diffsynth_blender.protocol import BadJobError, Control, Lora, Reference, Region, load_job, output_path, save_job
from diffsynth_blender.protocol.job_folder import check_folder
from tests.e2e.conftest import ROOT
from tests.e2e.job_folder import CHANNELS, write_job_folder
from tests.faults.wrong import NAMES, changed, is_refusal, tree, tried
from tests.reference.scene import demo_scene

SCENE = demo_scene(32, 16)


PLACES = (
    ("shot", "name"), ("shot", "blender"), ("shot", "engine"), ("shot", "source"), ("shot", "passes"),
    ("shot", "objects"), ("shot", "channels", "depth", 0), ("settings", "prompt"), ("settings", "model"),
    ("settings", "annotators"), ("settings", "loras"), ("settings", "reference"), ("settings", "regions"),
    ("settings", "controls", 0, "model"), ("settings", "controls", 0, "annotator"),
)  # fmt: skip
"""Where job.json holds a name or a path."""


def as_value(place: tuple, name: str) -> object:
    """A name as it stands at a place."""
    match place[-1]:
        case "source" | "passes" | "objects":
            return f"{name}/{{frame:04d}}.x"
        case "loras":
            return [vars(Lora(name))]
        case "reference":
            return vars(Reference(name))
        case "regions":
            return [vars(Region((name,), name))]
    return name


@pytest.fixture
def yard(tmp_path, tiny_model):
    """A folder with a job in it, and neighbours that nobody may touch."""
    folder = tmp_path / "yard" / "jobs" / "job"
    write_job_folder(folder, model=tiny_model, frames=1, scene=SCENE, steps=2, controls=(Control("depth"),))
    (tmp_path / "yard" / "escaped").mkdir()
    (tmp_path / "yard" / "notes.txt").write_text("mine")
    return folder


def outside(folder: Path) -> dict[str, str]:
    """All that lies around a job folder, but not in it."""
    return {path: what for path, what in tree(folder.parents[1]).items() if not path.startswith(str(folder))}


@pytest.mark.timeout(3600)
def test_names_in_the_job_file(worker, yard, fault_seed, times, tally):
    """Wherever a name stands: the job runs with it or is refused, and its surroundings stay as they are."""
    good = json.loads((yard / "job.json").read_text())
    before, pairs = outside(yard), [(place, name) for place in PLACES for name in NAMES]
    for place, name in random.Random(fault_seed).sample(pairs, times(10, 100)):
        value = changed(good, place, as_value(place, name))
        (yard / "job.json").write_text(json.dumps(value))
        with tried(tally, "strange name in job.json"):
            told = worker.run(yard)
            assert told.is_done or told.kind in ("bad_job", "model_missing", "package_missing"), (place, name, told)
            assert told.is_done or is_refusal(told.message), (place, name, told)
            assert outside(yard) == before, (place, name)


GOOD_NAMES = [
    name for name in NAMES if name.strip(". ") and not set("/\0\ud800\udcff\udc80") & set(name) and len(name) < 200
]
"""Names that a file can have here. The library of EXR files reads none below a folder whose name is no UTF-8."""


@pytest.mark.timeout(3600)
def test_strange_names_of_folders(worker, tiny_model, tmp_path, fault_seed, times, tally):
    """What a file system allows works: as the job's folder, as the model's, as the reference picture's name."""
    names = random.Random(fault_seed).sample(GOOD_NAMES, times(2, 12))
    for name in names:
        folder, model = tmp_path / "jobs" / name, tmp_path / "models" / name
        model.parent.mkdir(exist_ok=True)
        model.symlink_to(tiny_model)
        job = write_job_folder(folder, model=str(model), frames=1, scene=SCENE, steps=2)
        picture = folder / f"{name}.png"
        picture.write_bytes((folder / "source" / "0001.png").read_bytes())
        with tried(tally, "strange name of a folder"):
            if not name.startswith(("con", "CON", "nul", "aux", "LPT", "com", "C:", "\\", "a\\", "a:")):
                settings = replace(job.settings, reference=Reference(picture.name))
                save_job(replace(job, settings=settings), folder)
            told = worker.run(folder)
            assert told.is_done, (name, told)
            assert output_path(folder, 1).is_file() and load_job(folder).settings.model == str(model)


def link_to_folder(place: Path, outside: Path) -> None:
    place.symlink_to(outside, target_is_directory=True)


def link_to_file(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "precious.txt")


def dangling(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "new")


def pipe(place: Path, outside: Path) -> None:
    os.mkfifo(place)


def text(place: Path, outside: Path) -> None:
    place.write_text("no folder")


TRAPS = {
    "output": (link_to_folder, dangling, pipe, text), "baseline": (link_to_folder, dangling, text),
    "cache": (link_to_folder, dangling, text), "pictures": (link_to_folder, dangling),
    "journal.jsonl": (link_to_file, dangling, pipe), "cache/depth-32-0001.npy": (link_to_file, dangling, pipe),
    "cache/latest.png": (link_to_file,), "pictures/control-depth": (link_to_folder,),
    "cache/links": (link_to_folder,), "cache/events-here.jsonl": (link_to_file, pipe),
}  # fmt: skip
"""What a job folder from somebody else may hold where files are written."""


@pytest.mark.parametrize(("name", "trap"), [(name, trap) for name, traps in TRAPS.items() for trap in traps])
def test_links_that_lead_out(name, trap, tiny_model, tmp_path, tally):
    """Refused before anything is written, by the worker and by the host that would start one."""
    folder, away = tmp_path / "job", tmp_path / "away"
    write_job_folder(folder, model=tiny_model, frames=1, scene=SCENE)
    away.mkdir()
    (away / "precious.txt").write_text("precious")
    place = folder / name
    place.parent.mkdir(exist_ok=True)
    trap(place, away)
    before = tree(tmp_path)
    with tried(tally, "link out of the job folder"):
        with pytest.raises(BadJobError) as caught:
            check_folder(folder)
        assert is_refusal(str(caught.value), str(place))
        with pytest.raises(BadJobError):
            start_detached(Path("/nowhere/python"), ROOT, folder)
        assert tree(tmp_path) == before


@pytest.mark.timeout(1800)
def test_a_worker_follows_no_link(worker, tiny_model, tmp_path, times, tally):
    """The real worker says the same, for a job and for a deflickering; results in place of a link replace the link."""
    away = tmp_path / "away"
    away.mkdir()
    (away / "precious.txt").write_text("precious")
    for name, traps in list(TRAPS.items())[:: times(5, 1)]:
        folder = tmp_path / name.replace("/", "-")
        write_job_folder(folder, model=tiny_model, frames=1, scene=SCENE)
        (folder / name).parent.mkdir(exist_ok=True)
        traps[0](folder / name, away)
        with tried(tally, "link out of the job folder"):
            told = worker.run(folder)
            assert told.kind == "bad_job" and is_refusal(told.message, str(folder / name)), told
            assert [path.name for path in away.iterdir()] == ["precious.txt"]
    folder = tmp_path / "result"
    write_job_folder(folder, model=tiny_model, frames=1, scene=SCENE, steps=2)
    output_path(folder, 1).parent.mkdir()
    output_path(folder, 1).symlink_to(away / "precious.txt")
    with tried(tally, "link in place of a result"):
        assert worker.run(folder).is_done
        assert not output_path(folder, 1).is_symlink() and (away / "precious.txt").read_text() == "precious"


def test_channels_of_any_name(tmp_path):
    """A channel is looked up, never run or opened: whatever it is called, it is only not there."""
    from diffsynth_blender.passes.errors import PassError
    from diffsynth_blender.passes.exr import read_passes
    from tests.e2e.job_folder import write_passes

    path = tmp_path / "0001.exr"
    write_passes(path, SCENE, 1)
    for name in NAMES:
        with pytest.raises(PassError) as caught:
            read_passes(path, {**CHANNELS, "depth": (name,)}, width=32, height=16)
        assert "depth pass is missing" in str(caught.value)
