"""Wrong jobs given to a real worker: exit code 2 and one sentence, nothing written, nobody waits, and it serves on."""

import json
import os
import random
import subprocess

import pytest

from diffsynth_blender.protocol import BadJobError, Deflicker, KeyFrames, Noise, load_job
from tests.e2e.conftest import ENVIRONMENT, worker_command
from tests.e2e.job_folder import write_job_folder
from tests.faults.served import Served
from tests.faults.worker_process import run_to_end
from tests.faults.wrong import NUMBERS, REMOVE, changed, errors_of, is_refusal, places, tree, tried
from tests.reference.scene import demo_scene

SECONDS = 60.0
"""In which a worker must have refused, on a machine that others use; an idle one takes 0.3 s."""


@pytest.fixture(scope="module")
def wrong_jobs(tmp_path_factory, tiny_model, fault_seed):
    """A job folder, and a function that gives the next wrong content of its job.json."""
    folder = tmp_path_factory.mktemp("wrong") / "jobs" / "job"
    write_job_folder(folder, model=tiny_model, frames=2, scene=demo_scene(32, 16))
    good = json.loads((folder / "job.json").read_text())
    dice, every = random.Random(fault_seed), list(places(good))

    def make_wrong():
        while True:
            place = dice.choice(every)
            new = dice.choice([None, REMOVE, "", "\0", "\ud800", [], {}, [[]], True, *NUMBERS])
            (folder / "job.json").write_text(json.dumps(changed(good, place, new)))
            try:
                load_job(folder)
            except BadJobError:
                return place, new

    return folder, make_wrong


def test_the_command_line_refuses(wrong_jobs, times, tally):
    """Exit code 2, one sentence for people, one event for programs, and a folder that is as it was."""
    folder, make_wrong = wrong_jobs
    for number in range(times(3, 20)):
        what = make_wrong()
        before = tree(folder.parents[1])
        command = ("redo", folder, "--frames", "1") if number % 3 == 2 else ("run", folder)
        with tried(tally, "wrong job on the command line"):
            done = run_to_end(*command, limit=SECONDS)
            assert done.returncode == 2, (what, done.stderr)
            (error,) = errors_of(done.stderr)
            assert done.stderr.count("\n") == 1 and is_refusal(error, str(folder)), done.stderr
            (event,) = done.events
            assert (event["type"], event["kind"], event["message"]) == ("JobFailed", "bad_job", error)
            assert tree(folder.parents[1]) == before
            assert not done.orphans()


def test_a_served_worker_refuses_and_serves_on(wrong_jobs, tiny_model, tmp_path, times, tally):
    """One wrong job after the other in one worker; a good one after them is done."""
    folder, make_wrong = wrong_jobs
    with Served() as worker:
        for _ in range(times(40, 400)):
            what = make_wrong()
            with tried(tally, "wrong job among others in one worker"):
                told = worker.run(folder, limit=SECONDS)
                assert told.kind == "bad_job" and is_refusal(told.message, str(folder)), (what, told)
        write_job_folder(tmp_path / "good", model=tiny_model, frames=1, scene=demo_scene(32, 16), steps=2)
        assert worker.run(tmp_path / "good").is_done


EXTREMES = {
    "the largest seed": {"seed": 2**63 - 1},
    "the largest guidance": {"guidance_scale": 100.0},
    "almost no strength": {"strength": 1e-9},
    "full strength": {"strength": 1.0, "sampler": "euler"},
    "no prompt": {"prompt": "", "negative_prompt": ""},
    "a prompt of strange letters": {"prompt": "é🎬\u202e\n\t\x07\x1b[2J((((:::1.5)[{"},
    "a very long prompt": {"prompt": "gold, " * 3000},
    "the widest window": {"deflicker": Deflicker(window=1000)},
    "steps that are never reached": {"deflicker": Deflicker(steps=(999,), window=1)},
    "the last steps all left out": {"deflicker": Deflicker(skip_last=1000, window=1)},
    "the largest batch": {"batch": 1024},
    "key frames farther apart than the shot": {"key_frames": KeyFrames(every=1000)},
    "noise that is all fresh": {"noise": Noise("surface", fresh=1.0)},
    "more layers left out than there are": {"clip_skip": 11},
    "half precision on a processor": {"precision": "float16"},
    "held colours": {"hold_colours": 1.0},
    "pictures enlarged": {"upscale": 4},
    "a tiny VAE that is not there": {"tiny_vae": True},
    "estimators that are nowhere": {"annotators": "/nowhere/annotators"},
}
"""Settings at the ends of what is allowed."""


def test_extremes_run_or_are_refused(tiny_model, tmp_path, fault_seed, times, tally):
    """What reading allows never ends in a bug: the frames are made, or a sentence says what cannot be."""
    names = list(EXTREMES)
    random.Random(fault_seed).shuffle(names)
    with Served() as worker:
        for name in names[: times(5, len(names))]:
            folder = tmp_path / name
            defaults = {"deflicker": Deflicker(window=1), "steps": 2}
            write_job_folder(
                folder, model=tiny_model, frames=2, scene=demo_scene(32, 16), **(defaults | EXTREMES[name])
            )
            with tried(tally, "settings at the end of what is allowed"):
                told = worker.run(folder)
                assert told.is_done or (told.kind not in ("internal", "worker_died") and is_refusal(told.message)), (
                    name,
                    told,
                )


STYLE = ("--style", "JOB/source")
GUIDED = (*STYLE, "--guide", "JOB/source")
ARGUMENTS = (
    (), ("run",), ("fly", "JOB"), ("run", "JOB", "JOB"), ("run", ""), ("run", "."), ("run", "/dev/null"),
    ("run", "/dev/zero"), ("run", "n" * 300), ("run", "n/" * 3000), ("run", "two\nlines"), ("run", "\x1b[2J"),
    ("run", b"\xff\xfe"), ("run", "JOB", "--events", "/dev/null/events"), ("run", "JOB", "--frames=-9--5"),
    *(("run", "JOB", "--frames", frames) for frames in
      ("", "a", "5-1", "1-2-3", "9" * 5000, "\u0661-\u0663", "100-200", "-1", "1-\n2", "0x1", "1.0", "--")),
    ("redo", "JOB"), ("redo", "JOB", "--frames", "90", "--set", "prompt=x"),
    *(("redo", "JOB", "--frames", "1", "--set", change) for change in
      ("strength", "=1", "strength=NaN", "a.b.c=1", b"prompt=\xff", "steps=" + "[" * 9000, "seed=" + "9" * 5000)),
    ("deflicker",), ("deflicker", *STYLE, "--output", "JOB/out"),
    ("deflicker", *GUIDED, "--output", "JOB/source"), ("deflicker", *GUIDED, "--output", "JOB"),
    ("deflicker", *STYLE, "--job", "JOB", "--output", "JOB/output/deep"),
    ("deflicker", *GUIDED, "--output", "/dev/null"),
    ("deflicker", *GUIDED, "--output", "JOB/out", "--window", "-1"),
    ("deflicker", *GUIDED, "--output", "JOB/out", "--window", "65"),
    ("deflicker", *GUIDED, "--output", "JOB/out", "--device", "tpu"),
    ("deflicker", *STYLE, "--guide", "n" * 300, "--output", "JOB/out"),
    ("deflicker", "--style", "n" * 300, "--guide", "JOB/source", "--output", "JOB/out"),
)  # fmt: skip
"""Command lines that cannot be; JOB stands for a good job folder."""


def test_wrong_arguments(tiny_model, tmp_path, fault_seed, times, tally):
    """Exit code 2, and the last line is the one sentence; nothing is written, inside the folder or beside it."""
    folder = tmp_path / "jobs" / "job"
    write_job_folder(folder, model=tiny_model, frames=2, scene=demo_scene(32, 16))
    work = tmp_path / "work"
    work.mkdir()
    for arguments in random.Random(fault_seed).sample(ARGUMENTS, times(8, len(ARGUMENTS))):
        given = [a.replace("JOB", str(folder)) if isinstance(a, str) else a for a in arguments]
        before = tree(tmp_path)
        with tried(tally, "wrong arguments"):
            command = [*worker_command(), *given]
            done = subprocess.run(command, cwd=work, env=ENVIRONMENT, capture_output=True, timeout=SECONDS, check=False)
            said = done.stderr.decode()
            assert done.returncode == 2 and not done.stdout, (arguments, done.returncode, said[-500:])
            assert "Traceback" not in said and "error: " in said.splitlines()[-1], (arguments, said[-500:])
            assert tree(tmp_path) == before, arguments


def test_a_job_that_may_not_be_read(tiny_model, tmp_path, tally):
    """No permission is said as such."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    folder = tmp_path / "job"
    write_job_folder(folder, model=tiny_model, frames=1, scene=demo_scene(32, 16))
    (folder / "job.json").chmod(0)
    with tried(tally, "no permission to read job.json"):
        done = run_to_end("run", folder, limit=SECONDS)
        assert done.returncode == 2 and "ermission" in errors_of(done.stderr)[0]
