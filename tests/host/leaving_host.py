"""A Blender (the bpy module) that runs a job and then quits in the middle of it, as an artist would.

    python leaving_host.py JOB END|DETACH

Prints the id of the worker that was attached to it.
"""

import sys
import time
from pathlib import Path

import bpy

from diffsynth_blender.host import addon
from diffsynth_blender.host.jobs import pump
from diffsynth_blender.host.jobs.stylisation import Continuation
from tests.host.running import is_denoising, record_of, workers_of
from tests.host.shots import make_shot

if __name__ == "__main__":
    job_dir, on_close = Path(sys.argv[1]), sys.argv[2]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    scene = make_shot(width=64, height=40)
    scene.diffsynth.jobs.on_close = on_close
    work = Continuation(scene, record_of(scene, job_dir))
    pump.start(work)
    reached = is_denoising(work, 1)
    while not reached():
        pump._tick()
        time.sleep(0.01)
    print(*workers_of(job_dir), flush=True)
    sys.exit(0)
