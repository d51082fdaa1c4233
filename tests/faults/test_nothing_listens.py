"""No port is open and no socket waits for anybody: not the client's, nor the worker's."""

import os
import socket

from diffsynth_blender.protocol import Deflicker
from tests.e2e.job_folder import write_job_folder
from tests.faults.served import Served
from tests.faults.sockets import family, listening
from tests.faults.wrong import tried
from tests.reference.scene import demo_scene


def test_a_listening_socket_would_be_seen():
    """The test below can fail."""
    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening(os.getpid())) == 1
    assert not listening(os.getpid())


def test_nothing_listens(tiny_model, tmp_path, tally):
    """Neither the worker nor what it starts, nor this process as its client, from the greeting to the end of a job."""
    folder = tmp_path / "job"
    write_job_folder(
        folder, model=tiny_model, frames=2, scene=demo_scene(32, 16), steps=2, deflicker=Deflicker(window=1)
    )
    looks = []
    with tried(tally, "looked for listening sockets"), Served() as worker:

        def look(_: object) -> None:
            pids = family(os.getpid())
            assert worker.pid in pids
            looks.extend(map(listening, pids))

        assert worker.run(folder, look).is_done
        look(None)
    assert len(looks) > 10 and not any(looks), looks
