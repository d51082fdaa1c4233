"""Kill -9 at every stage and at any time: the same command goes on to the same bits and leaves nothing behind."""

from itertools import count
from random import Random

import pytest

from tests.faults.kills import Trial
from tests.faults.scenarios import deflickering, scenario_of
from tests.faults.truth import Scenario, Truth, learn

pytestmark = pytest.mark.timeout(3600)

RUN_STAGES = ("start", "passes", "load", "encode", "motion", "denoise", "decode", "write", "report")


def stages_of(truth: Truth) -> set[str]:
    return {moment.stage for moment in truth.moments}


def kill_along(scenario: Scenario, truth: Truth, stages, root, random: Random, tally) -> int:
    """Kill a run at some stages, one after the other, and let it finish; returns how often it was killed."""
    folders = (root / str(number) for number in count())
    trial, killed = Trial(scenario, truth, next(folders)), 0
    for moment in [moment for moment in truth.moments if moment.stage in stages]:
        for haste in (1.0, 0.3, 0.0):  # a run that was faster than the one without interruption is over: once more
            if trial.kill_at(moment, random.uniform(0.0, haste * moment.seconds)):
                killed += 1
                break
            trial.finish(tally)
            trial = Trial(scenario, truth, next(folders))
    trial.finish(tally)
    return killed


def test_a_stylisation_killed_at_every_stage(shot, tmp_path, fault_seed, times, tally):
    """Each stage of one run is killed once, in the order of the run; the last run goes on to the same bits."""
    scenario, truth = shot
    assert stages_of(truth) >= set(RUN_STAGES)
    random, killed = Random(f"stages {fault_seed}"), 0
    for number in range(times(1, 3)):
        stages = random.sample(RUN_STAGES, times(2, len(RUN_STAGES)))
        killed += kill_along(scenario, truth, stages, tmp_path / str(number), random, tally)
    assert killed >= times(2, 27)


def test_a_stylisation_killed_at_any_time(shot, tmp_path, fault_seed, times, tally):
    """Fresh runs are killed at random times, up to three times each."""
    scenario, truth = shot
    random = Random(f"times {fault_seed}")
    if not times(0, 1):
        pytest.skip("in the long form")
    for number in range(4):
        trial = Trial(scenario, truth, tmp_path / str(number))
        for _ in range(3):
            trial.kill_after(random.uniform(0.0, truth.seconds), "worker killed at a random time")
        trial.finish(tally)


@pytest.mark.parametrize(
    ("kind", "stages"),
    [
        ("baseline", ("baseline", "report")),
        ("redo", ("redo", "write", "report")),
        ("keys", ("denoise", "repair")),
        ("upscale", ("passes", "write")),
    ],
)
def test_other_work_killed_at_its_stages(kind, stages, tiny_model, tmp_path, fault_seed, times, tally):
    """Independent frames, a redo, key frames, enlarged frames: killed where they differ from a plain run."""
    if not times(0, 1):
        pytest.skip("in the long form")
    random, scenario = Random(f"{kind} {fault_seed}"), scenario_of(kind, tiny_model, tmp_path)
    truth = learn(scenario, tmp_path / "whole")
    assert stages_of(truth) >= set(stages)
    for number in range(3):
        kill_along(scenario, truth, stages, tmp_path / str(number), random, tally)


@pytest.mark.parametrize("mode", ["fast", "accurate", "keyframes"])
def test_a_deflickering_killed_at_every_stage(mode, tmp_path, fault_seed, times, tally):
    """Each stage of a deflickering is killed once, in the order of the run."""
    if mode != "accurate" and not times(0, 1):
        pytest.skip("in the long form")
    random, scenario = Random(f"{mode} {fault_seed}"), deflickering(mode)
    truth = learn(scenario, tmp_path / "whole")
    stages = stages_of(truth)
    assert stages >= {"start", "check", "deflicker", "write", "report"}
    for number in range(times(1, 3)):
        kill_along(scenario, truth, stages, tmp_path / str(number), random, tally)
