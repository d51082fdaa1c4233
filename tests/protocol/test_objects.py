import json
from dataclasses import replace
from pathlib import Path

import pytest

from diffsynth_blender.protocol import BadJobError, load_job, save_job, settings_hash
from diffsynth_blender.protocol.objects import load_objects, save_objects
from tests.protocol.examples import IDENTITY, example_job, example_value

MOVED = ((1.0, 0.0, 0.0, 0.1), (0.0, 1.0, 0.0, -2.5e-7), (0.0, 0.0, 1.0, 3.0), (0.0, 0.0, 0.0, 1.0))


def test_round_trip(tmp_path: Path) -> None:
    """Read back the very matrices, ids of all 32 bits, and an empty file."""
    path = tmp_path / "0001.objects.json"
    for matrices in ({0xFFFFFFFF: MOVED, 0x00000001: IDENTITY, 0x8A3F00B1: MOVED}, {}):
        save_objects(matrices, path)
        assert load_objects(path) == matrices
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "3", "{", '{"8a3f00b1": 3}', '{"8a3f00b1": [[1, 0, 0, 0]]}', '{"8A3F00B1": []}',
        json.dumps({"8a3f00b": IDENTITY}), json.dumps({"Cube": IDENTITY}), json.dumps({"8a3f00b1 ": IDENTITY}),
        json.dumps({"8a3f00b1": [[float("nan")] * 4] * 4}),
        f'{{"8a3f00b1": {json.dumps(IDENTITY)}, "8a3f00b1": {json.dumps(IDENTITY)}}}', "\udcff",
    ],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    """One line that names the file."""
    path = tmp_path / "0001.objects.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadJobError) as caught:
        load_objects(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Say which, and what to do."""
    with pytest.raises(BadJobError, match=r"0001\.objects\.json: no such file; capture the frame again"):
        load_objects(tmp_path / "0001.objects.json")


def test_a_shot_may_have_matrices_or_none(tmp_path: Path) -> None:
    """Without them the key is not there, and the hash is what it was before there were any; with them it differs."""
    plain = example_job()
    assert "objects" not in example_value(tmp_path)["shot"]
    assert load_job(tmp_path).shot.objects_path(tmp_path, 3) is None
    equipped = replace(plain, shot=replace(plain.shot, objects="passes/{frame:04d}.objects.json"))
    save_job(equipped, tmp_path)
    assert load_job(tmp_path) == equipped
    assert load_job(tmp_path).shot.objects_path(tmp_path, 3) == tmp_path / "passes" / "0003.objects.json"
    assert settings_hash(equipped) != settings_hash(plain)


@pytest.mark.parametrize("pattern", [None, "", 3, "objects.json", "../{frame:04d}.json", "/{frame:04d}.json"])
def test_the_pattern_is_as_strict_as_the_others(tmp_path: Path, pattern: object) -> None:
    """No null, and no path out of the job folder."""
    value = example_value(tmp_path)
    value["shot"]["objects"] = pattern
    (tmp_path / "job.json").write_text(json.dumps(value))
    with pytest.raises(BadJobError, match=r"shot\.objects must be"):
        load_job(tmp_path)
