"""A graphics card that stops: a sentence, the documented exit code, and a job that goes on to the same bits."""

import random

import pytest

from diffsynth_blender.protocol.errors import DeviceLostError
from tests.faults.served import Served, is_sentence, modified
from tests.faults.worker_process import wait_until

FAILING = ("-m", "tests.faults.failing_device")


@pytest.fixture(scope="module")
def operators(undisturbed, tmp_path_factory) -> int:
    """How many operators a whole job takes."""
    with Served(arguments=(*FAILING, "count", "0", "serve")) as worker:
        assert worker.run(undisturbed.copy(tmp_path_factory.mktemp("counted") / "job")).is_done
        worker.close()
        words = worker.session.process.stderr_lines[-1]
    assert words.startswith("operators: "), words
    return int(words.split()[1])


def test_a_card_that_stops(undisturbed, healthy, operators, tally, times, fault_seed, tmp_path):
    """At any moment: the job says so, this worker ends, another goes on, and nothing that was finished is lost."""
    dice, count = random.Random(fault_seed), times(2, 9)
    for number in range(count):
        folder = undisturbed.copy(tmp_path / "job")
        moment = int(operators * (number + dice.random()) / count)
        with Served(arguments=(*FAILING, "lost", str(moment), "serve")) as worker:
            told = worker.run(folder)
            assert told.kind == "device_lost" and is_sentence(told.message), told
            wait_until(lambda worker=worker: not worker.session.process.is_alive(), 30.0, "the end of the worker")
            reason = worker.session.process.exit_reason()
        complaint, before = undisturbed.complaint(folder), modified(folder)
        rest = healthy.run(folder)
        lost = undisturbed.lost(folder)
        tally.record(f"card stopped: {told.stage}", recovered=rest.is_done, lost_frames=lost)
        assert "unspecified launch failure" in told.message and "run the job again" in told.message
        assert reason == f"exit code {DeviceLostError.exit_code}"
        assert not complaint, complaint
        assert rest.is_done and lost == 0
        assert {name: modified(folder)[name] for name in before} == before
        assert rest.began.get("denoise", 9) >= told.reached.get("denoise", 0)
