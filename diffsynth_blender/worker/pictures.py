"""What the model and the deflickering see, as pictures to look at: controls, motion, visibility.

Written where the job folder has a folder for them, which a preview has.
"""

from collections.abc import Sequence

import numpy as np

from ..motion.clip import Clip
from ..passes.images import write_png
from ..protocol.traces import PICTURES_FOLDER, picture_path
from .part import Part
from .shot_files import read_frame_passes


def write_pictures(part: Part, frames: Sequence[int]) -> None:
    """Write the pictures of some scene frames of a part, where they are asked for; returns at once where not.

    Motion is read from the passes, from each frame to the next scene frame; visibility tells how far what a frame
    shows is seen in the frame of the part beside it. Footage has neither: nobody knows them.
    """
    folder = part.context.job_dir
    if not (folder / PICTURES_FOLDER).is_dir():
        return
    places = part.places(frames)
    for kind in dict.fromkeys(control.kind for control in part.settings.controls):
        for frame, place in zip(frames, places, strict=True):
            _write(part, f"control-{kind}", frame, part.inputs.control(kind, place))
    if part.job.shot.passes is None:
        return
    vectors = [_forward_motion(part, frame) for frame in frames]
    longest = max(float(np.quantile(np.hypot(*vector), 0.99)) for vector in vectors)
    for frame, vector in zip(frames, vectors, strict=True):
        _write(part, "motion", frame, motion_picture(vector, longest))
    clip = part.exact_motion(range(len(part.frames)))
    for frame, place in zip(frames, places, strict=True):
        if clip is not None and len(part.frames) > 1:
            _write(part, "visibility", frame, visibility_picture(clip, place))


def motion_picture(vector: np.ndarray, longest: float) -> np.ndarray:
    """Motion (2, H, W) [px, y down] as colours (H, W, 3): hue is the direction, strength the length.

    White stands still; full colour moves by `longest` or more.
    """
    x, y = vector
    strength = np.clip(np.hypot(x, y) / max(longest, 1e-6), 0.0, 1.0)[..., None]
    angle = np.arctan2(y, x)[..., None] + np.array([0.0, 2.0, 4.0]) * (np.pi / 3)
    hue = np.clip(0.5 + np.cos(angle), 0.0, 1.0)
    return (1.0 - strength * (1.0 - hue)).astype(np.float32)


def visibility_picture(clip: Clip, place: int) -> np.ndarray:
    """How far what a frame of the clip shows is seen in the next one (in the last: in the one before), (H, W, 3)."""
    other = place + 1 if place + 1 < len(clip.frames) else place - 1
    visible = clip.field(place, other)[..., 2:]
    return np.repeat(np.clip(visible, 0.0, 1.0), 3, axis=-1).astype(np.float32)


def _forward_motion(part: Part, frame: int) -> np.ndarray:
    """Motion to the next scene frame, (2, H, W) [px, y down]; the background counts as still."""
    passes = read_frame_passes(part.job, part.context.job_dir, frame)
    moves = passes.depth < part.job.shot.background_depth
    # ZW = p(t) - p(t+1), y up.
    return np.stack([-passes.vector[..., 2] * moves, passes.vector[..., 3] * moves])


def _write(part: Part, kind: str, frame: int, picture: np.ndarray) -> None:
    path = picture_path(part.context.job_dir, kind, frame)
    path.parent.mkdir(exist_ok=True)
    write_png(path, np.ascontiguousarray(picture, dtype=np.float32))
