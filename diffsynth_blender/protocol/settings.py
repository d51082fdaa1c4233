"""How a shot is restyled: everything an artist can choose, read strictly from job.json.

Whatever names a file or a folder is an absolute path, or where it says so a path below the job folder: a job must mean
the same wherever the worker is started.
"""

import math
from dataclasses import dataclass, fields
from pathlib import PurePosixPath, PureWindowsPath
from typing import TypeAlias

from .animation import Animation, decode_animation
from .fields import JsonObject

CONTROL_KINDS = ("depth", "normal", "softedge", "lineart", "canny", "tile", "shuffle")
DEVICES = ("auto", "cpu", "cuda")
SAMPLERS = ("ddim", "dpmpp_2m", "unipc", "euler", "lcm", "tcd", "flow_euler")
NOISE_KINDS = ("fixed", "surface", "independent")
ATTENDED_FRAMES = ("first", "previous", "self", "next")
MOTION_ATTENTION = ("off", "trajectory", "correspondence")
SMOOTHED_ALONG = ("exact", "repaired", "matched")
PRECISIONS = ("auto", "float32", "float16", "bfloat16")
UPSCALES = (1, 2, 4)

Numbers: TypeAlias = float | tuple[float, ...]
Integers: TypeAlias = int | tuple[int, ...]


@dataclass(frozen=True)
class Control:
    """One ControlNet and how much it counts."""

    kind: str
    """One of `CONTROL_KINDS`."""
    scale: float = 1.0
    """Factor on the ControlNet's residuals, at least 0."""
    start: float = 0.0
    """Share of the denoising steps after which it begins to count, 0 to 1."""
    end: float = 1.0
    """Share of the denoising steps after which it no longer counts, above `start` to 1."""
    model: str = ""
    """Absolute path of a ControlNet: a folder in the diffusers layout or a .safetensors file, union models included.
    "" for the one that the model has of this kind."""
    annotator: str = ""
    """What makes the control image. "" for the exact passes where the shot has them, else for the kind's annotator that
    needs no weights; a name of the annotator table for that one."""


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter of the model's weights."""

    path: str
    """Absolute path of a .safetensors file."""
    weight: float = 1.0
    """Factor on what it changes; negative turns it round."""


@dataclass(frozen=True)
class Noise:
    """What the denoising starts from."""

    kind: str = "fixed"
    """"fixed": the same for every frame (the paper); "surface": anchored to the surfaces of the scene, needs exact
    passes; "independent": each frame its own, for comparison."""
    fresh: float = 0.0
    """Share of the variance that is drawn anew for each frame, 0 to 1."""


@dataclass(frozen=True)
class Attention:
    """Self-attention that also looks at other frames, in U-Net and ControlNets."""

    frames: tuple[str, ...] = ATTENDED_FRAMES
    """Which frames each frame looks at, of `ATTENDED_FRAMES`; "self" is always among them."""
    window: int = 8
    """Frames that go through the model together, at least 2; this decides the memory a job takes."""
    stride: int = 6
    """From one window to the next, 1 to `window`; where windows overlap, their outputs are averaged by a triangle."""
    motion: str = "off"
    """"trajectory": a second attention along each point's exact path through the window; "correspondence": each token
    also sees the tokens of neighbouring frames that show the same point. Both need exact passes."""


@dataclass(frozen=True)
class Reference:
    """A picture whose look is taken over."""

    image: str
    """Absolute path, or path below the job folder, of a PNG."""
    attention: bool = True
    """Whether every frame also looks at the picture in its self-attention."""
    ip_adapter: str = ""
    """Absolute path of an IP-Adapter's weights folder; "" for none."""
    ip_adapter_scale: float = 0.6
    """Factor on what the IP-Adapter adds, at least 0."""


@dataclass(frozen=True)
class Region:
    """Some objects of the scene with a prompt of their own."""

    objects: tuple[str, ...]
    """Names of the objects, as in Blender; at least one."""
    prompt: str = ""
    """What they look like; "" for the prompt of the whole shot."""


@dataclass(frozen=True)
class Deflicker:
    """Smoothing along the motion inside the denoising loop.

    `window` and `strength` are schedules: one value, or several that are spread evenly over the run's steps and
    interpolated between.
    """

    interval: int = 1
    """Smooth at every how many-th denoising step, at least 1."""
    skip_last: int = 0
    """Leave this many last denoising steps alone, at least 0."""
    steps: tuple[int, ...] = ()
    """Denoising steps to smooth at, 0 the first, rising; in place of `interval` and `skip_last` where not empty."""
    window: Integers = 4
    """Neighbours on either side that a frame is averaged with [frames], 0 or more."""
    strength: Numbers = 1.0
    """0 leaves every frame as it is, 1 replaces it by the average."""
    final: bool = True
    """Also smooth the finished frames: decoding brings a little flicker back."""
    along: str = "exact"
    """"exact": the motion of the passes; "repaired": and patches of the source frames where that leads to nothing that
    looks alike, such as reflections, which takes longer; "matched": patches alone, as for footage."""

    @property
    def widest(self) -> int:
        """The widest window of the schedule [frames]."""
        return self.window if isinstance(self.window, int) else max(self.window)


@dataclass(frozen=True)
class KeyFrames:
    """Restyle some frames only and carry them to the others by the motion."""

    every: int = 4
    """From one key frame to the next, at least 2; the last frame is always a key frame."""
    repair: bool = True
    """Restyle in the frames between what no key frame shows."""


@dataclass(frozen=True)
class Settings:
    """How the shot is restyled."""

    prompt: str
    """What the result looks like, of any length; "(words:1.3)" counts more, "(words:0.7)" less."""
    negative_prompt: str = ""
    """What the result does not look like."""
    model: str = "demo"
    """"demo", or the absolute path of a folder in the diffusers layout or of a .safetensors file."""
    loras: tuple[Lora, ...] = ()
    """Adapters of the model."""
    clip_skip: int = 0
    """Last layers of the text encoder that are left out, 0 to 11."""
    sampler: str = "ddim"
    """One of `SAMPLERS`."""
    seed: int = 0
    """Of the noise, 0 to 2**63 - 1; the same for every frame."""
    steps: int = 20
    """Denoising steps (`num_inference_steps`), 1 to 1000."""
    strength: float = 0.5
    """Of the change: above 0 (nothing) to 1 (starts from noise alone, the source frames' colours do not matter)."""
    guidance_scale: float = 1.5
    """Of classifier-free guidance, at least 1 (none). This and `strength` suit the demo model; others want 5 to 8."""
    noise: Noise = Noise()
    """What the denoising starts from."""
    attention: Attention | None = None
    """Cross-frame attention; None for none, and then frames share nothing but the deflickering."""
    controls: tuple[Control, ...] = (Control("depth"), Control("normal"))
    """ControlNets to use, each kind at most once."""
    reference: Reference | None = None
    """A picture whose look is taken over."""
    regions: tuple[Region, ...] = ()
    """Objects with prompts of their own; they need exact passes."""
    keep_rest: bool = False
    """Whether pixels that belong to no region stay those of the source frames, bit for bit."""
    deflicker: Deflicker | None = Deflicker(skip_last=3, final=False)
    """None for independent frames. By default the last steps are free: the result then keeps 0.98 of the independent
    frames' sharpness with 0.08 of their flicker (demo shot and model)."""
    animation: tuple[Animation, ...] = ()
    """Values that change along the shot, in place of `guidance_scale`, of a control's `scale`, or of a deflickering's
    `strength` that is one value; each at most once."""
    hold_colours: float = 0.0
    """How far each frame's colour statistics are held to those of the whole shot, 0 to 1."""
    key_frames: KeyFrames | None = None
    """None restyles every frame."""
    upscale: int = 1
    """Super-resolution of the source frames before they are restyled, one of `UPSCALES`; the result has its size."""
    tiny_vae: bool = True
    """Use the model's tiny VAE, where it has one, for the deflickering inside the loop."""
    precision: str = "auto"
    """Number format of the model, one of `PRECISIONS`; "auto": half where the device has hardware for it."""
    batch: int = 0
    """Frames that go through model and VAE together; 0 for as many as suit the device. Without cross-frame attention
    the result does not depend on it, up to rounding."""
    annotators: str = ""
    """Absolute path of the folder with the weights of annotators; "" where none needs any."""
    device: str = "auto"
    """One of `DEVICES`. Not part of `settings_hash`: a job may move to another machine."""
    baseline: bool = False
    """Also make independent frames, for the report to compare with."""


def _keys(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def decode_settings(parent: JsonObject, key: str) -> Settings:
    """The settings under a key. Raises BadJobError naming file, key and remedy."""
    settings = parent.child(key, _keys(Settings))
    regions = _decode_regions(settings)
    controls, deflicker = _decode_controls(settings), _decode_deflicker(settings)
    keep_rest = settings.boolean("keep_rest")
    if keep_rest and not regions:
        raise settings.error("keep_rest", "false where there are no regions")
    return Settings(
        prompt=settings.text("prompt", may_be_empty=True),
        negative_prompt=settings.text("negative_prompt", may_be_empty=True),
        model=_decode_model(settings),
        loras=tuple(
            Lora(_decode_path(lora, "path"), lora.number("weight", -10.0, 10.0))
            for lora in settings.children("loras", _keys(Lora))
        ),
        clip_skip=settings.integer("clip_skip", 0, 11),
        sampler=settings.text("sampler", choices=SAMPLERS),
        seed=settings.integer("seed", 0, 2**63 - 1),
        steps=settings.integer("steps", 1, 1000),
        strength=settings.number("strength", 0.0, 1.0, above=True),
        guidance_scale=settings.number("guidance_scale", 1.0),
        noise=_decode_noise(settings),
        attention=_decode_attention(settings),
        controls=controls,
        reference=_decode_reference(settings),
        regions=regions,
        keep_rest=keep_rest,
        deflicker=deflicker,
        animation=decode_animation(settings, "animation", _animated(controls, deflicker)),
        hold_colours=settings.number("hold_colours", 0.0, 1.0),
        key_frames=_decode_key_frames(settings),
        upscale=settings.integer_of("upscale", UPSCALES),
        tiny_vae=settings.boolean("tiny_vae"),
        precision=settings.text("precision", choices=PRECISIONS),
        batch=settings.integer("batch", 0, 1024),
        annotators=_decode_path(settings, "annotators", may_be_empty=True),
        device=settings.text("device", choices=DEVICES),
        baseline=settings.boolean("baseline"),
    )


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()


def _decode_path(parent: JsonObject, key: str, *, may_be_empty: bool = False) -> str:
    path = parent.text(key, may_be_empty=may_be_empty)
    if path and not _is_absolute(path):
        raise parent.error(key, "an absolute path" + (" or empty" if may_be_empty else ""))
    return path


def _decode_model(settings: JsonObject) -> str:
    model = settings.text("model")
    if model != "demo" and not _is_absolute(model):
        raise settings.error("model", "'demo' or the absolute path of a model folder or a .safetensors file")
    return model


def _decode_controls(settings: JsonObject) -> tuple[Control, ...]:
    controls = []
    for control in settings.children("controls", _keys(Control)):
        start = control.number("start", 0.0, 1.0)
        controls.append(
            Control(
                control.text("kind", choices=CONTROL_KINDS),
                control.number("scale", 0.0),
                start,
                control.number("end", start, 1.0, above=True),
                _decode_path(control, "model", may_be_empty=True),
                control.text("annotator", may_be_empty=True),
            )
        )
    if len({control.kind for control in controls}) != len(controls):
        raise settings.error("controls", "a list with each kind at most once")
    return tuple(controls)


def _animated(controls: tuple[Control, ...], deflicker: Deflicker | None) -> dict[str, tuple[float, float]]:
    """What may change along the shot, with its lowest and highest value."""
    ranges = {"guidance_scale": (1.0, math.inf)}
    ranges |= {f"controls.{control.kind}.scale": (0.0, math.inf) for control in controls}
    if deflicker is not None and not isinstance(deflicker.strength, tuple):
        ranges["deflicker.strength"] = (0.0, 1.0)
    return ranges


def _decode_noise(settings: JsonObject) -> Noise:
    noise = settings.child("noise", _keys(Noise))
    return Noise(noise.text("kind", choices=NOISE_KINDS), noise.number("fresh", 0.0, 1.0))


def _decode_attention(settings: JsonObject) -> Attention | None:
    if settings.is_null("attention"):
        return None
    attention = settings.child("attention", _keys(Attention))
    frames = attention.texts("frames")
    if "self" not in frames or len(set(frames)) != len(frames) or not set(frames) <= set(ATTENDED_FRAMES):
        raise attention.error("frames", f"'self' and others of {', '.join(ATTENDED_FRAMES)}, each at most once")
    window = attention.integer("window", 2, 1024)
    return Attention(
        frames,
        window,
        attention.integer("stride", 1, window),
        attention.text("motion", choices=MOTION_ATTENTION),
    )


def _decode_reference(settings: JsonObject) -> Reference | None:
    if settings.is_null("reference"):
        return None
    reference = settings.child("reference", _keys(Reference))
    image = reference.text("image")
    windows = PureWindowsPath(image)
    if not _is_absolute(image) and (windows.drive or windows.root or ".." in windows.parts):
        raise reference.error("image", "an absolute path or a path below the job folder")
    return Reference(
        image,
        reference.boolean("attention"),
        _decode_path(reference, "ip_adapter", may_be_empty=True),
        reference.number("ip_adapter_scale", 0.0),
    )


def _decode_regions(settings: JsonObject) -> tuple[Region, ...]:
    regions = []
    for region in settings.children("regions", _keys(Region)):
        objects = region.texts("objects")
        if not objects:
            raise region.error("objects", "a list of one or more names of objects")
        regions.append(Region(objects, region.text("prompt", may_be_empty=True)))
    return tuple(regions)


def _decode_deflicker(settings: JsonObject) -> Deflicker | None:
    if settings.is_null("deflicker"):
        return None
    deflicker = settings.child("deflicker", _keys(Deflicker))
    steps = deflicker.integers("steps", 0, 999, may_be_empty=True)
    if list(steps) != sorted(set(steps)):
        raise deflicker.error("steps", "a list of rising step numbers")
    return Deflicker(
        interval=deflicker.integer("interval", 1, 1000),
        skip_last=deflicker.integer("skip_last", 0, 1000),
        steps=steps,
        window=deflicker.integer_schedule("window", 0, 1000),
        strength=deflicker.number_schedule("strength", 0.0, 1.0),
        final=deflicker.boolean("final"),
        along=deflicker.text("along", choices=SMOOTHED_ALONG),
    )


def _decode_key_frames(settings: JsonObject) -> KeyFrames | None:
    if settings.is_null("key_frames"):
        return None
    key_frames = settings.child("key_frames", _keys(KeyFrames))
    return KeyFrames(key_frames.integer("every", 2, 1000), key_frames.boolean("repair"))
