"""A Blender (the bpy module) that runs a job and then quits in the middle of it, as an artist would.

    python leaving_host.py JOB END|DETACH|KILL [FILE]

Prints the id of the worker that was attached to it. With FILE it saves the file there and quits while the shot is still
rendered; then it prints the id of the second Blender.
"""

import atexit
import os
import sys
import time
from pathlib import Path

import bpy

from diffsynth_blender.host import addon
from diffsynth_blender.host.jobs import pump
from diffsynth_blender.host.jobs.record import new_record
from diffsynth_blender.host.jobs.stylisation import Continuation, begin
from tests.host.running import SETTINGS, is_denoising, record_of, workers_of
from tests.host.shots import make_shot

if __name__ == "__main__":
    job_dir, on_close, file = Path(sys.argv[1]), sys.argv[2], (sys.argv[3:] or [None])[0]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    # The last thing done at the end: the wheel of 4.2 crashes after it if a property with a callback was registered.
    atexit.register(os._exit, 0)
    addon.register()
    scene = make_shot(width=64, height=40)
    scene.diffsynth.jobs.on_close = "END" if on_close == "KILL" else on_close
    if file:
        work = begin(scene, new_record(scene.name, job_dir, range(4, 10), SETTINGS))
    else:
        work = Continuation(scene, record_of(scene, job_dir))
    pump.start(work)
    if file:
        bpy.ops.wm.save_as_mainfile(filepath=file)
    reached = (lambda: work.progress.factor > 0) if file else is_denoising(work, 1)
    while not reached():
        pump._tick()
        time.sleep(0.01)
    print(*([work._preparations._current._process.pid] if file else workers_of(job_dir)), flush=True)
    if on_close == "KILL":
        os._exit(0)
    sys.exit(0)
