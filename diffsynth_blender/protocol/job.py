"""The job file: what one shot is and how to restyle it. Reading is strict; what was saved can be read.

A job folder holds everything a job needs and everything it makes:

    job.json  source/0001.png  passes/0001.exr  passes/0001.objects.json
    output/0001.png  baseline/0001.png  journal.jsonl  cache/  report.json

Files of frames are named by scene frame number. Nothing here opens an image.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeAlias

from .errors import BadJobError
from .fields import JsonObject, read_json
from .files import write_bytes_atomic

JOB_FILE = "job.json"
JOB_FORMAT = "diffsynth-job"
JOB_VERSION = 1
REPORT_FILE = "report.json"
CACHE_FOLDER = "cache"

PASS_CHANNEL_COUNTS = {"depth": 1, "normal": 3, "vector": 4, "position": 3, "object": 1}
"""The exact passes, with the number of channels of each."""
CONTROL_KINDS = ("depth", "normal")
DEVICES = ("auto", "cpu", "cuda")

FRAME_LIMIT = 1_048_574  # Blender's own highest frame number (MAXFRAME)
SIZE_LIMIT = 65_536  # px, Blender's own limit of a render's width and height

Matrix: TypeAlias = tuple[tuple[float, ...], ...]

_OPTIONAL_OF_SHOT = ("objects",)


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
    pass_frames: tuple[int, ...]
    """Scene frames that have passes: every one from the first to the last of `frames`."""
    source: str
    """Pattern of the rendered frames below the job folder, such as "source/{frame:04d}.png"."""
    passes: str
    """Pattern of the passes below the job folder, such as "passes/{frame:04d}.exr"."""
    channels: dict[str, tuple[str, ...]]
    """Channel names in the EXR files by pass, see `PASS_CHANNEL_COUNTS`."""
    background_depth: float
    """A pixel at this planar depth or beyond is background [scene units]."""
    sample_offset: tuple[float, float]
    """Where the passes are sampled relative to the pixel's centre [px], x right, y down."""
    cameras: tuple[Camera, ...]
    """One per entry of `pass_frames`, in the same order."""
    render_seconds: float = 0.0
    """How long rendering the shot took [s], for the report. Not part of `settings_hash`."""
    objects: str | None = None
    """Pattern of the objects' matrices below the job folder, one file for each of `pass_frames` (see objects.py), such
    as "passes/{frame:04d}.objects.json". None, and then no key of the file: the shot has none, all motion is read from
    the passes."""

    def source_path(self, job_dir: Path, frame: int) -> Path:
        """The rendered frame as the artist sees it: 8-bit sRGB RGB or RGBA."""
        return Path(job_dir) / self.source.format(frame=frame)

    def passes_path(self, job_dir: Path, frame: int) -> Path:
        """The exact passes of a frame."""
        return Path(job_dir) / self.passes.format(frame=frame)

    def objects_path(self, job_dir: Path, frame: int) -> Path | None:
        """The matrices of a frame's objects, None where the shot has none."""
        return None if self.objects is None else Path(job_dir) / self.objects.format(frame=frame)


@dataclass(frozen=True)
class Control:
    """One ControlNet and how much it counts."""

    kind: str
    """One of `CONTROL_KINDS`."""
    scale: float = 1.0
    """Factor on the ControlNet's residuals, at least 0."""


@dataclass(frozen=True)
class Deflicker:
    """Smoothing along the motion inside the denoising loop."""

    interval: int = 1
    """Smooth at every how many-th denoising step, at least 1."""
    skip_last: int = 0
    """Leave this many last denoising steps alone, at least 0."""
    window: int = 4
    """Neighbours on either side that a frame is averaged with [frames], 0 or more."""
    strength: float = 1.0
    """0 leaves every frame as it is, 1 replaces it by the average."""
    final: bool = True
    """Also smooth the finished frames: decoding brings a little flicker back."""


@dataclass(frozen=True)
class Settings:
    """How the shot is restyled."""

    prompt: str
    """What the result looks like."""
    negative_prompt: str = ""
    """What the result does not look like."""
    model: str = "demo"
    """"demo", or the absolute path of a folder in the diffusers layout."""
    seed: int = 0
    """Of the noise, 0 to 2**63 - 1; the same for every frame."""
    steps: int = 20
    """Denoising steps (`num_inference_steps`), 1 to 1000."""
    strength: float = 0.5
    """Of the change: above 0 (nothing) to 1 (the source frames' colours no longer matter)."""
    guidance_scale: float = 1.5
    """Of classifier-free guidance, at least 1 (none). This and `strength` suit the demo model; others want 5 to 8."""
    controls: tuple[Control, ...] = (Control("depth"), Control("normal"))
    """ControlNets to use, each kind at most once."""
    deflicker: Deflicker | None = Deflicker()
    """None for independent frames."""
    device: str = "auto"
    """One of `DEVICES`. Not part of `settings_hash`: a job may move to another machine."""
    baseline: bool = False
    """Also make independent frames, for the report to compare with."""


@dataclass(frozen=True)
class Job:
    """The content of job.json."""

    shot: Shot
    settings: Settings


def output_path(job_dir: Path, frame: int) -> Path:
    """The result of a frame."""
    return Path(job_dir) / "output" / f"{frame:04d}.png"


def baseline_path(job_dir: Path, frame: int) -> Path:
    """The result of a frame restyled on its own, where `Settings.baseline` asks for it."""
    return Path(job_dir) / "baseline" / f"{frame:04d}.png"


def load_job(job_dir: Path) -> Job:
    """Read JOB/job.json. Raises `BadJobError` naming file, key and remedy."""
    path = Path(job_dir) / JOB_FILE
    value = read_json(path, remedy="write it again", missing=f"give the folder that holds {JOB_FILE}")
    return _decode_job(value, str(path))


def save_job(job: Job, job_dir: Path) -> Path:
    """Write JOB/job.json in one piece and return its path; the folder is made. Raises `BadJobError` before writing."""
    path = Path(job_dir) / JOB_FILE
    value = _encode_job(_decode_job(_encode_job(job), str(path)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())
    return path


def settings_hash(job: Job) -> str:
    """SHA-256 (hexadecimal) of all that decides the result: shot and settings, without device and render time."""
    # Through the decoder, so that a job made in Python (strength=1) and the same job read back (1.0) agree.
    value = _encode_job(_decode_job(_encode_job(job), JOB_FILE))
    del value["settings"]["device"]
    del value["shot"]["render_seconds"]
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _encode_job(job: Job) -> dict:
    parts: dict = {"shot": _lists(asdict(job.shot)), "settings": _lists(asdict(job.settings))}
    for key in _OPTIONAL_OF_SHOT:
        if parts["shot"][key] is None:
            del parts["shot"][key]
    return {"format": JOB_FORMAT, "version": JOB_VERSION, **parts}


def _lists(value: object) -> object:
    """The same with lists for tuples, as JSON reads them."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value


def _decode_job(value: object, file: str) -> Job:
    # Format and version first: a file of a newer version has keys that this version cannot judge.
    if not isinstance(value, dict) or value.get("format") != JOB_FORMAT:
        raise BadJobError(f"{file}: not a job file; its format must be {JOB_FORMAT!r}")
    version = value.get("version")
    if isinstance(version, int) and version > JOB_VERSION:
        raise BadJobError(
            f"{file}: written in job format version {version}, this version of DiffSynth reads version {JOB_VERSION}; "
            "update the worker or export the job again"
        )
    top = JsonObject(value, file, "", ("format", "version", "shot", "settings"))
    top.integer("version", JOB_VERSION, JOB_VERSION)
    return Job(
        _decode_shot(
            top.child(
                "shot",
                tuple(key for key in Shot.__dataclass_fields__ if key not in _OPTIONAL_OF_SHOT),
                optional=_OPTIONAL_OF_SHOT,
            )
        ),
        _decode_settings(top.child("settings", tuple(Settings.__dataclass_fields__))),
    )


def _decode_shot(shot: JsonObject) -> Shot:
    frames = shot.integers("frames", 0, FRAME_LIMIT)
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    if step < 1 or frames != tuple(range(frames[0], frames[0] + step * len(frames), step)):
        raise shot.error("frames", "rising in equal steps")
    pass_frames = shot.integers("pass_frames", 0, FRAME_LIMIT)
    if pass_frames != tuple(range(frames[0], frames[-1] + 1)):
        raise shot.error("pass_frames", f"every frame from {frames[0]} to {frames[-1]}")
    cameras = tuple(
        Camera(camera.integer("frame", 0, FRAME_LIMIT), camera.matrix("world_to_camera"), camera.matrix("projection"))
        for camera in shot.children("cameras", tuple(Camera.__dataclass_fields__))
    )
    if tuple(camera.frame for camera in cameras) != pass_frames:
        raise shot.error("cameras", "one for each of pass_frames, in the same order")
    width, height = (shot.integer(key, 16, SIZE_LIMIT) for key in ("width", "height"))
    fps = shot.integers("fps", 1, 2**31, count=2)
    offset = shot.numbers("sample_offset", 2)
    return Shot(
        name=shot.text("name"),
        blender=shot.text("blender"),
        engine=shot.text("engine"),
        width=width,
        height=height,
        fps=(fps[0], fps[1]),
        frames=frames,
        pass_frames=pass_frames,
        source=_decode_pattern(shot, "source"),
        passes=_decode_pattern(shot, "passes"),
        channels=_decode_channels(shot),
        background_depth=shot.number("background_depth", 0.0, above=True),
        sample_offset=(offset[0], offset[1]),
        cameras=cameras,
        render_seconds=shot.number("render_seconds", 0.0),
        objects=_decode_pattern(shot, "objects") if shot.has("objects") else None,
    )


def _decode_pattern(shot: JsonObject, key: str) -> str:
    """A pattern cannot leave the job folder: a job file may come from somebody else."""
    pattern = shot.text(key)
    around = re.sub(r"\{frame:0[1-9]d\}", "", pattern, count=1)
    windows = PureWindowsPath(pattern)
    leaves = windows.drive or windows.root or ".." in windows.parts
    if around == pattern or re.search(r"[{}\\\x00-\x1f]", around) or leaves:
        raise shot.error(key, "a path below the job folder with one {frame:04d} in it")
    return pattern


def _decode_channels(shot: JsonObject) -> dict[str, tuple[str, ...]]:
    channels = shot.child("channels", tuple(PASS_CHANNEL_COUNTS))
    return {name: channels.texts(name, count) for name, count in PASS_CHANNEL_COUNTS.items()}


def _decode_settings(settings: JsonObject) -> Settings:
    controls = tuple(
        Control(control.text("kind", choices=CONTROL_KINDS), control.number("scale", 0.0))
        for control in settings.children("controls", tuple(Control.__dataclass_fields__))
    )
    if len({control.kind for control in controls}) != len(controls):
        raise settings.error("controls", "a list with each kind at most once")
    model = settings.text("model")
    if model != "demo" and not (PurePosixPath(model).is_absolute() or PureWindowsPath(model).is_absolute()):
        raise settings.error("model", "'demo' or the absolute path of a model folder")
    return Settings(
        prompt=settings.text("prompt", may_be_empty=True),
        negative_prompt=settings.text("negative_prompt", may_be_empty=True),
        model=model,
        seed=settings.integer("seed", 0, 2**63 - 1),
        steps=settings.integer("steps", 1, 1000),
        strength=settings.number("strength", 0.0, 1.0, above=True),
        guidance_scale=settings.number("guidance_scale", 1.0),
        controls=controls,
        deflicker=_decode_deflicker(settings),
        device=settings.text("device", choices=DEVICES),
        baseline=settings.boolean("baseline"),
    )


def _decode_deflicker(settings: JsonObject) -> Deflicker | None:
    if settings.is_null("deflicker"):
        return None
    deflicker = settings.child("deflicker", tuple(Deflicker.__dataclass_fields__))
    return Deflicker(
        interval=deflicker.integer("interval", 1, 1000),
        skip_last=deflicker.integer("skip_last", 0, 1000),
        window=deflicker.integer("window", 0, 1000),
        strength=deflicker.number("strength", 0.0, 1.0),
        final=deflicker.boolean("final"),
    )
