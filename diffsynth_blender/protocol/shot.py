"""The rendered shot of a job: which frames, where their files are, and what is needed to read the passes.

A shot without exact passes is footage: plain frames, whose motion and controls are estimated.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from .fields import JsonObject
from .frames import FRAME_LIMIT
from .texts import stays_below

PASS_CHANNEL_COUNTS = {"depth": 1, "normal": 3, "vector": 4, "position": 3, "object": 1}
"""The exact passes, with the number of channels of each."""

SIZE_LIMIT = 65_536  # px, Blender's own limit of a render's width and height

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Camera:
    """The camera that rendered one frame."""

    frame: int
    """Scene frame number."""
    world_to_camera: Matrix
    """4x4, rows first: world position → camera space (x right, y up, looking along -z)."""
    projection: Matrix
    """4x4, rows first: camera space → clip space at the final pixel size (Blender's `calc_matrix_camera`)."""


@dataclass(frozen=True)
class Shot:
    """The rendered shot: which frames, where their files are, and what is needed to read the passes."""

    name: str
    """For people."""
    blender: str
    """Version of Blender that rendered it, such as "4.5.15"."""
    engine: str
    """Render engine, Blender's identifier, such as "CYCLES"."""
    width: int
    """Width of every frame [px], at least 16."""
    height: int
    """Height of every frame [px], at least 16."""
    fps: tuple[int, int]
    """Frames per second as numerator and denominator; (24000, 1001) for 23.976."""
    frames: tuple[int, ...]
    """Scene frames to restyle, rising in equal steps."""
    source: str
    """Pattern of the rendered frames below the job folder, such as "source/{frame:04d}.png"."""
    render_seconds: float = 0.0
    """How long rendering the shot took [s], for the report. Not part of `settings_hash`."""
    passes: str | None = None
    """Pattern of the passes below the job folder, such as "passes/{frame:04d}.exr". None: the shot is footage, has none
    of the keys from here on, and motion and controls are estimated from its frames."""
    pass_frames: tuple[int, ...] = ()
    """Scene frames that have passes: every one from the first to the last of `frames`."""
    channels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Channel names in the EXR files by pass, see `PASS_CHANNEL_COUNTS`."""
    background_depth: float = 0.0
    """A pixel at this planar depth or beyond is background [scene units]."""
    sample_offset: tuple[float, float] = (0.0, 0.0)
    """Where the passes are sampled relative to the pixel's centre [px], x right, y down."""
    cameras: tuple[Camera, ...] = ()
    """One per entry of `pass_frames`, in the same order."""
    objects: str | None = None
    """Pattern of the objects' matrices below the job folder, one file for each of `pass_frames` (see objects.py), such
    as "passes/{frame:04d}.objects.json". None, and then no key of the file: the shot has none, all motion is read from
    the passes."""

    def source_path(self, job_dir: Path, frame: int) -> Path:
        """The rendered frame as the artist sees it: 8-bit sRGB RGB or RGBA."""
        return Path(job_dir) / self.source.format(frame=frame)

    def passes_path(self, job_dir: Path, frame: int) -> Path:
        """The exact passes of a frame of a shot that has some."""
        assert self.passes is not None
        return Path(job_dir) / self.passes.format(frame=frame)

    def objects_path(self, job_dir: Path, frame: int) -> Path | None:
        """The matrices of a frame's objects, None where the shot has none."""
        return None if self.objects is None else Path(job_dir) / self.objects.format(frame=frame)


EXACT_KEYS = ("passes", "pass_frames", "channels", "background_depth", "sample_offset", "cameras")
"""Keys of a shot that has exact passes; footage has none of them."""
OPTIONAL_KEYS = (*EXACT_KEYS, "objects")
REQUIRED_KEYS = tuple(key for key in Shot.__dataclass_fields__ if key not in OPTIONAL_KEYS)


def encode_shot(value: dict) -> dict:
    """The JSON object of a shot given as a dictionary of its fields: without the keys that it does not have."""
    left_out = OPTIONAL_KEYS if value["passes"] is None else ("objects",) if value["objects"] is None else ()
    return {key: item for key, item in value.items() if key not in left_out}


def decode_shot(top: JsonObject, key: str) -> Shot:
    """The shot under a key of the job file. Raises BadJobError naming file, key and remedy."""
    every = top.child(key, REQUIRED_KEYS, optional=OPTIONAL_KEYS)
    has_passes = any(every.has(exact) for exact in OPTIONAL_KEYS)
    keys = (*REQUIRED_KEYS, *EXACT_KEYS) if has_passes else REQUIRED_KEYS
    return _decode(top.child(key, keys, optional=("objects",) if has_passes else ()), has_passes)


def _decode(shot: JsonObject, has_passes: bool) -> Shot:
    frames = shot.integers("frames", -FRAME_LIMIT, FRAME_LIMIT)
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    if step < 1 or frames != tuple(range(frames[0], frames[0] + step * len(frames), step)):
        raise shot.error("frames", "rising in equal steps")
    width, height = (shot.integer(key, 16, SIZE_LIMIT) for key in ("width", "height"))
    fps = shot.integers("fps", 1, 2**31, count=2)
    plain = Shot(
        name=shot.text("name"),
        blender=shot.text("blender"),
        engine=shot.text("engine"),
        width=width,
        height=height,
        fps=(fps[0], fps[1]),
        frames=frames,
        source=_decode_pattern(shot, "source"),
        render_seconds=shot.number("render_seconds", 0.0),
    )
    return _with_passes(plain, shot) if has_passes else plain


def _with_passes(plain: Shot, shot: JsonObject) -> Shot:
    frames = plain.frames
    pass_frames = shot.integers("pass_frames", -FRAME_LIMIT, FRAME_LIMIT)
    if pass_frames != tuple(range(frames[0], frames[-1] + 1)):
        raise shot.error("pass_frames", f"every frame from {frames[0]} to {frames[-1]}")
    cameras = tuple(
        Camera(
            camera.integer("frame", -FRAME_LIMIT, FRAME_LIMIT),
            camera.matrix("world_to_camera"),
            camera.matrix("projection"),
        )
        for camera in shot.children("cameras", tuple(Camera.__dataclass_fields__))
    )
    if tuple(camera.frame for camera in cameras) != pass_frames:
        raise shot.error("cameras", "one for each of pass_frames, in the same order")
    offset = shot.numbers("sample_offset", 2)
    return replace(
        plain,
        passes=_decode_pattern(shot, "passes"),
        pass_frames=pass_frames,
        channels=_decode_channels(shot),
        background_depth=shot.number("background_depth", 0.0, above=True),
        sample_offset=(offset[0], offset[1]),
        cameras=cameras,
        objects=_decode_pattern(shot, "objects") if shot.has("objects") else None,
    )


def _decode_pattern(shot: JsonObject, key: str) -> str:
    """A pattern cannot leave the job folder: a job file may come from somebody else."""
    pattern = shot.text(key)
    around = re.sub(r"\{frame:0[1-9]d\}", "", pattern, count=1)
    if around == pattern or re.search(r"[{}\\\x00-\x1f]", around) or not stays_below(pattern):
        raise shot.error(key, "a path below the job folder with one {frame:04d} in it")
    return pattern


def _decode_channels(shot: JsonObject) -> dict[str, tuple[str, ...]]:
    channels = shot.child("channels", tuple(PASS_CHANNEL_COUNTS))
    return {name: channels.texts(name, count) for name, count in PASS_CHANNEL_COUNTS.items()}
