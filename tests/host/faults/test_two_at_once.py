"""Two Blenders at one project: one wins, the other says so in a sentence, and the first loses nothing."""

import pytest

from diffsynth_blender.protocol import JobBusyError
from tests.faults.held_process import wait_until
from tests.host.faults.host_process import StartedHost, run_to_end
from tests.host.faults.project import Project, are_equal, is_at, passes_of, project, results_of

__all__ = ["project"]

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("stage", ["render", "denoise"])
@pytest.mark.parametrize("command", ["run", "run --recapture"])
def test_a_second_blender_is_refused(stage, command, project: Project, tmp_path, tally):
    """Beside one that renders or stylises, a second one renders nothing, deletes nothing, and exits with 2."""
    job_dir = tmp_path / "job"
    with StartedHost(*project.run(job_dir)) as first:
        assert first.until(is_at(stage)), first.stderr
        second = run_to_end(*project.run(job_dir), *command.split()[1:])
        assert first.wait() == 0, first.stderr
    lost = sum(results_of(job_dir).get(name) != digest for name, digest in project.results.items())
    is_kept = not lost and are_equal(passes_of(job_dir), project.passes)
    # Where the first was quick enough to end before the second looked, the second had its turn after it.
    is_second = (second.returncode == JobBusyError.exit_code and bool(second.error)) or second.returncode == 0
    tally.record(f"two Blenders: {command} beside one at '{stage}'", recovered=is_kept and is_second, lost_frames=lost)
    assert is_kept and is_second, second.stderr
    assert str(job_dir) in second.error or second.returncode == 0


def test_two_blenders_at_the_same_instant(project: Project, tmp_path, times, tally):
    """Whoever comes first renders and stylises; together they leave what one alone does."""
    for number in range(times(1, 4)):
        job_dir = tmp_path / str(number)
        with StartedHost(*project.run(job_dir)) as first, StartedHost(*project.run(job_dir)) as second:
            codes = {first.wait(), second.wait()}
            wait_until(lambda pair=(first, second): not any(host.orphans(0.0) for host in pair), 10.0)
        lost = sum(results_of(job_dir).get(name) != digest for name, digest in project.results.items())
        is_good = not lost and codes <= {0, JobBusyError.exit_code} and 0 in codes
        is_good = is_good and are_equal(passes_of(job_dir), project.passes)
        tally.record("two Blenders at the same instant", recovered=is_good, lost_frames=lost)
        assert is_good, (codes, first.stderr, second.stderr)
