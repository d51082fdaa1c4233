"""No port is open and no socket waits for anybody: not Blender's with the extension, nor those of what it starts."""

import os
import socket
import time
from pathlib import Path

import bpy
import pytest

from diffsynth_blender.host import addon
from diffsynth_blender.host.jobs import pump
from diffsynth_blender.host.jobs.record import new_record
from diffsynth_blender.host.jobs.stylisation import begin
from tests.faults.sockets import family, listening
from tests.host.running import SETTINGS, run_until, workers_of
from tests.host.shots import make_shot

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes in /proc")


@pytest.fixture
def extended():
    """Blender with the extension."""
    addon.register()
    yield
    addon.unregister()


def test_a_listening_socket_would_be_seen():
    """The test below can fail, in Blender's Python too."""
    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening(os.getpid())) == 1


def test_nothing_listens(extended, tmp_path: Path, tally):
    """From before a job to after it: Blender, the one that renders behind it, the worker, and what those start."""
    scene = make_shot(width=64, height=40)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    looks: list[tuple[int, list[str]]] = []

    def look() -> None:
        looks.extend((pid, listening(pid)) for pid in family(os.getpid()))

    look()
    job_dir = tmp_path / "job"
    work = begin(scene, new_record(scene.name, job_dir, range(4, 7), SETTINGS))
    pump.start(work)
    workers = set()

    def is_over() -> bool:
        time.sleep(0.1)  # a look at every process of the machine takes some milliseconds
        look()
        workers.update(workers_of(job_dir))
        return work.is_over

    run_until(work, is_over, 400.0)
    look()
    work.close("")
    found, seen = [entry for entry in looks if entry[1]], {pid for pid, _ in looks}
    is_seen = workers and workers <= seen and len(seen - workers) >= 2  # this Blender and the one that rendered
    tally.record("looked for listening sockets in Blender", recovered=work.state == "done" and is_seen and not found)
    assert work.state == "done", work.message
    assert is_seen, (workers, seen)
    assert not found
