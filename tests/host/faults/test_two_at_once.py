"""Two Blenders at one project: one wins, the other says so in a sentence, and the first loses nothing."""

import pytest

from diffsynth_blender.protocol import JobBusyError
from tests.faults.held_process import wait_until
from tests.host.faults.host_process import StartedHost, run_to_end
from tests.host.faults.project import Project, are_equal, is_at, passes_of, project, results_of

__all__ = ["project"]

pytestmark = pytest.mark.timeout(1800)


def one_wins(*hosts: StartedHost) -> bool:
    """Whether one host came to its end, and each other one too, after it, or was refused in a sentence."""
    refused = [host for host in hosts if host.returncode != 0]
    return len(refused) < len(hosts) and all(
        host.returncode == JobBusyError.exit_code and host.error for host in refused
    )


@pytest.mark.parametrize("stage", ["render", "denoise"])
@pytest.mark.parametrize("command", ["run", "run --recapture"])
def test_a_second_blender_is_refused(stage, command, project: Project, tmp_path, tally):
    """Beside one that renders or stylises, a second one is refused; together they leave what one alone does."""
    job_dir = tmp_path / "job"
    with StartedHost(*project.run(job_dir)) as first:
        assert first.until(is_at(stage)), first.stderr
        second = run_to_end(*project.run(job_dir), *command.split()[1:])
        first.wait()
    lost = sum(results_of(job_dir).get(name) != digest for name, digest in project.results.items())
    is_kept = not lost and are_equal(passes_of(job_dir), project.passes)
    is_good = is_kept and one_wins(first, second)
    tally.record(f"two Blenders: {command} beside one at '{stage}'", recovered=is_good, lost_frames=lost)
    assert is_good, (first.returncode, second.returncode, first.stderr, second.stderr)


def test_two_blenders_at_the_same_instant(project: Project, tmp_path, times, tally):
    """Whoever comes first renders and stylises; together they leave what one alone does."""
    for number in range(times(1, 3)):
        job_dir = tmp_path / str(number)
        with StartedHost(*project.run(job_dir)) as first, StartedHost(*project.run(job_dir)) as second:
            first.wait()
            second.wait()
            wait_until(lambda pair=(first, second): not any(host.orphans(0.0) for host in pair), 10.0)
        lost = sum(results_of(job_dir).get(name) != digest for name, digest in project.results.items())
        is_good = not lost and are_equal(passes_of(job_dir), project.passes) and one_wins(first, second)
        tally.record("two Blenders at the same instant", recovered=is_good, lost_frames=lost)
        assert is_good, (first.returncode, second.returncode, first.stderr, second.stderr)
