"""Run in the worker's Python: write the fields of a captured job, for tests that know the truth from Blender.

    python fields.py JOB OUT.npz [--composed] TARGET:SOURCE ...

TARGET and SOURCE are indices of frames. OUT holds "TARGET:SOURCE", (H, W, 3) as `Clip.field` returns it. With
--composed the objects' matrices are left aside.
"""

import sys
from pathlib import Path

import numpy as np

from diffsynth_blender.motion.clip import Clip
from diffsynth_blender.protocol import load_job
from diffsynth_blender.worker.inputs import objects_reader, read_frame_passes


def main() -> None:
    job_dir, out, *pairs = sys.argv[1:]
    composed = "--composed" in pairs
    job = load_job(Path(job_dir))
    shot = job.shot
    clip = Clip(
        shot.frames,
        shot.pass_frames,
        lambda frame: read_frame_passes(job, Path(job_dir), frame),
        {camera.frame: camera for camera in shot.cameras},
        width=shot.width,
        height=shot.height,
        background_depth=shot.background_depth,
        sample_offset=shot.sample_offset,
        objects=None if composed else objects_reader(job, Path(job_dir)),
        keep=len(shot.pass_frames),
    )
    pairs = [pair for pair in pairs if pair != "--composed"]
    np.savez(out, **{pair: clip.field(*map(int, pair.split(":"))) for pair in pairs})


if __name__ == "__main__":
    main()
