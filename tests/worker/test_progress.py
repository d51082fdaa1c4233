import pytest

from diffsynth_blender.protocol import Event, FrameDone, JobProgress
from diffsynth_blender.worker.progress import ProgressFilter


class Recorder:
    """A filter on a clock that the test turns."""

    def __init__(self, interval: float = 0.1) -> None:
        self.now = 100.0
        self.sent: list[Event] = []
        self.filter = ProgressFilter(self.sent.append, interval=interval, clock=lambda: self.now)

    def step(self, stage: str, step: int, step_count: int, seconds: float) -> None:
        """Let time go by, then report a step."""
        self.now += seconds
        self.filter(JobProgress("", stage, step, step_count))


def test_first_and_last_of_a_stage_always_pass() -> None:
    """Thin out the middle of a stage only."""
    recorder = Recorder()
    for stage in ("passes", "motion"):
        for step in range(11):
            recorder.step(stage, step, 10, 0.001)
    assert [(event.stage, event.step) for event in recorder.sent] == [
        ("passes", 0), ("passes", 10), ("motion", 0), ("motion", 10)
    ]  # fmt: skip


def test_results_always_pass() -> None:
    """Drop no result, at any speed, and keep the order."""
    recorder = Recorder()
    for frame in range(100):
        recorder.filter(JobProgress("", "write", frame, 100))
        recorder.filter(FrameDone("", frame, ""))
    assert [event.frame for event in recorder.sent if isinstance(event, FrameDone)] == list(range(100))


def test_the_estimate_of_even_steps_is_exact() -> None:
    """Multiply the time of a step by the steps that are left; say nothing before the first step is over."""
    recorder = Recorder()
    for step in range(21):
        recorder.step("denoise", step, 20, 3.0)
    estimates = [event.seconds_left for event in recorder.sent]
    assert estimates[0] is None
    assert estimates[1:] == pytest.approx([3.0 * (20 - step) for step in range(1, 21)])


def test_the_estimate_averages_alternating_steps() -> None:
    """Stay steady where every second step costs more, as with smoothing at every second step."""
    recorder = Recorder()
    for step in range(60):
        recorder.step("denoise", step, 60, 1.0 if step % 2 else 3.0)
    for event in recorder.sent[10:]:
        assert event.seconds_left == pytest.approx(2.0 * (60 - event.step), abs=0.01)


def test_the_estimate_counts_down_within_a_step() -> None:
    """Take off the time that has gone by since the last step; never go below zero."""
    recorder = Recorder()
    recorder.step("denoise", 0, 4, 1.0)
    recorder.step("denoise", 2, 4, 10.0)
    recorder.step("denoise", 2, 4, 4.0)
    recorder.step("denoise", 2, 4, 100.0)
    assert [event.seconds_left for event in recorder.sent] == [None, 10.0, 6.0, 0.0]


def test_a_resumed_stage_is_measured_from_where_it_goes_on() -> None:
    """Not take the steps of an earlier run for steps of this one."""
    recorder = Recorder()
    recorder.step("denoise", 15, 20, 0.0)
    recorder.step("denoise", 16, 20, 2.0)
    assert recorder.sent[-1].seconds_left == pytest.approx(8.0)
