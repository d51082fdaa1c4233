"""Kills between any two touches of the disk, and files that a power cut left short: the same bits in the end."""

from pathlib import Path
from random import Random

import pytest

from tests.faults.kills import Trial
from tests.faults.scenarios import deflickering, scenario_of
from tests.faults.truth import Scenario, Truth, files_of, learn
from tests.faults.worker_process import run_to_end

pytestmark = pytest.mark.timeout(3600)

DYING = Path(__file__).parent / "dying"
ROOT = Path(__file__).parents[2]


def dying(folder: Path, at: int, count: Path | None = None) -> dict[str, str]:
    """Environment of a worker that dies at its n-th touch of the folder, or says how many there were."""
    return {
        "PYTHONPATH": f"{DYING}:{ROOT}",
        "DIFFSYNTH_DIE_IN": str(folder),
        "DIFFSYNTH_DIE_AT": str(at),
        "DIFFSYNTH_TOUCHES": "" if count is None else str(count),
    }


def learn_touches(scenario: Scenario, root: Path) -> tuple[Truth, int]:
    """What a scenario leaves, and how often it touches its folder."""
    arguments = scenario.prepare(root / "counted")
    count = root / "touches"
    worker = run_to_end(*arguments, environment=dying(root / "counted" / scenario.folder, 0, count))
    assert worker.returncode == 0, worker.stderr
    return learn(scenario, root / "whole"), int(count.read_text())


def cut(folder: Path, before: frozenset[str], random: Random) -> list[str]:
    """Do to the newest files that a run wrote what a power cut does; returns what was done."""
    written = [folder / name for name in files_of(folder) - before]
    newest = sorted(written, key=lambda path: path.stat().st_mtime_ns, reverse=True)[: random.randint(1, 4)]
    done = []
    for path in newest:
        size = path.stat().st_size
        length = random.choice((0, random.randrange(size + 1), max(0, size - random.randrange(64))))
        content = path.read_bytes()[:length]
        is_zeroed = random.random() < 0.5  # the size was on the disk before the content
        path.write_bytes(content.ljust(size, b"\0") if is_zeroed else content)
        done.append(f"{path.name} {'zeros' if is_zeroed else 'cut'} from {length} of {size}")
    return done


@pytest.mark.parametrize(("kind", "short", "long"), [("baseline", 0, 3), ("redo", 0, 3), ("deflicker", 4, 20)])
def test_death_between_two_touches_of_the_disk(kind, short, long, tiny_model, tmp_path, fault_seed, times, tally):
    """Dead before its n-th touch of the folder, n at random: between write and rename, rename and journal."""
    if not times(short, long):
        pytest.skip("in the long form")
    scenario = deflickering("accurate") if kind == "deflicker" else scenario_of(kind, tiny_model, tmp_path)
    truth, touches = learn_touches(scenario, tmp_path)
    random = Random(f"touches {kind} {fault_seed}")
    for number in range(times(short, long)):
        trial = Trial(scenario, truth, tmp_path / str(number))
        at = random.randint(1, touches)
        assert trial.die("worker dead between two touches of the disk", dying(trial.folder, at)), at
        trial.finish(tally)


@pytest.mark.parametrize(("kind", "short", "long"), [("baseline", 0, 4), ("deflicker", 3, 16)])
def test_a_power_cut_shortens_what_was_written_last(kind, short, long, tiny_model, tmp_path, fault_seed, times, tally):
    """Killed at any time, and the newest files emptied, cut or filled with zeros: the run makes them again."""
    scenario = deflickering("accurate") if kind == "deflicker" else scenario_of(kind, tiny_model, tmp_path)
    if not times(short, long):
        pytest.skip("in the long form")
    truth = learn(scenario, tmp_path / "whole")
    random = Random(f"cuts {kind} {fault_seed}")
    for number in range(times(short, long)):
        trial = Trial(scenario, truth, tmp_path / str(number))
        before = files_of(trial.folder)
        # The second half of a run is where there is something to lose.
        seconds = random.uniform(0.4, 1.0) * truth.seconds
        trial.kill_after(seconds, "power cut: newest files cut or zeroed")
        done = cut(trial.folder, before, random)
        trial.forget()
        try:
            trial.finish(tally)
        except AssertionError as error:
            raise AssertionError(f"{done}: {error}") from error
