"""Laws of a shot in job.json: with exact passes, or footage without any."""

import json
from dataclasses import replace

import pytest

from diffsynth_blender.protocol import BadJobError, Job, Settings, load_job, save_job
from tests.protocol.examples import example_job


def test_footage_is_a_job_without_what_passes_bring(tmp_path):
    """A shot without passes is written without their keys and read back as it was."""
    shot = replace(
        example_job().shot, passes=None, pass_frames=(), channels={}, background_depth=0.0, cameras=(), objects=None
    )
    path = save_job(Job(shot, Settings(prompt="clay")), tmp_path)
    written = json.loads(path.read_text())["shot"]
    assert not {"passes", "pass_frames", "channels", "cameras", "objects", "background_depth"} & written.keys()
    assert load_job(tmp_path).shot == shot


@pytest.mark.parametrize("key", ["pass_frames", "channels", "background_depth", "sample_offset", "cameras"])
def test_half_a_set_of_passes_is_refused(key, tmp_path):
    """A shot has all that passes need or nothing of it; what is missing is named."""
    path = save_job(example_job(), tmp_path)
    value = json.loads(path.read_text())
    del value["shot"][key]
    path.write_text(json.dumps(value))
    with pytest.raises(BadJobError, match=rf"shot\.{key} is missing; add it"):
        load_job(tmp_path)


def test_passes_without_a_pattern_are_no_footage(tmp_path):
    """Taking away the pattern alone does not turn a shot with passes into footage."""
    path = save_job(example_job(), tmp_path)
    value = json.loads(path.read_text())
    del value["shot"]["passes"]
    path.write_text(json.dumps(value))
    with pytest.raises(BadJobError, match=r"shot\.passes is missing"):
        load_job(tmp_path)
