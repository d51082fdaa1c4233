"""What reading exact passes costs beside what is done with a frame: 1080p files as the host writes them.

The files hold the passes of a scene known in closed form, so they compress like renders and not like noise.
"""

import tempfile
from pathlib import Path

from diffsynth_blender.blending.smoother import Smoother
from diffsynth_blender.motion.clip import Clip
from diffsynth_blender.passes.exr import read_passes
from tests.benchmarks.common import paired, ratio, spread, write_bench
from tests.e2e.job_folder import CHANNELS, write_passes
from tests.reference.scene import BACKGROUND_DEPTH, demo_scene

SIZE = (1920, 1080)
FRAMES = 5


def main() -> None:
    """Measure and write passes.json."""
    scene = demo_scene(*SIZE)
    numbers = list(range(1, FRAMES + 1))
    pictures = [scene.picture(frame) for frame in numbers]
    passes = {frame: scene.passes(frame) for frame in numbers}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0003.exr"
        write_passes(path, scene, 3)

        def blend() -> object:
            clip = Clip(
                numbers,
                numbers,
                passes.__getitem__,
                {frame: scene.camera(frame) for frame in numbers},
                width=SIZE[0],
                height=SIZE[1],
                background_depth=BACKGROUND_DEPTH,
            )
            smoother = Smoother(clip, pictures.__getitem__, mode="balanced", window=2)
            smoother.prepare()
            return list(smoother.stream(pictures.__getitem__))

        seconds = paired(
            {
                "read one frame's passes": lambda: read_passes(path, CHANNELS, width=SIZE[0], height=SIZE[1]),
                "correspondence and one blend of 5 frames, window 2": blend,
            },
            repeats=3,
        )
        megabytes = path.stat().st_size / 2**20
    read, work = seconds
    rows = [spread(name, values) for name, values in seconds.items()]
    write_bench(
        "passes",
        [*rows, {"what": "file of one 1080p frame", "megabytes": megabytes}],
        {"read_share_of_a_frames_motion_and_blend": ratio(seconds, read, work) * FRAMES},
    )
