"""How a shot is restyled: everything an artist can choose; `settings_reading.py` reads it from job.json.

Whatever names a file or a folder is an absolute path, or where it says so a path below the job folder: a job must mean
the same wherever the worker is started.
"""

from dataclasses import dataclass
from typing import TypeAlias

from .animation import Animation

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
    """Factor on the ControlNet's residuals, 0 to 100."""
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
    """Absolute path of an IP-Adapter: its .safetensors file, or the folder that holds it; "" for none."""
    ip_adapter_scale: float = 0.6
    """Factor on what the IP-Adapter adds, 0 to 100."""


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
    vae: str = ""
    """Absolute path of a VAE in place of the model's: a folder in the diffusers layout or a .safetensors file; "" for
    the model's own."""
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
    """Of classifier-free guidance, 1 (none) to 100. This and `strength` suit the demo model; others want 5 to 8."""
    noise: Noise = Noise()
    """What the denoising starts from."""
    attention: Attention | None = None
    """Cross-frame attention; None for none, and then frames share nothing but the deflickering."""
    controls: tuple[Control, ...] = (Control("depth"), Control("normal"), Control("tile"))
    """ControlNets to use, each kind at most once."""
    reference: Reference | None = None
    """A picture whose look is taken over."""
    regions: tuple[Region, ...] = ()
    """Objects with prompts of their own; they need exact passes."""
    keep_rest: bool = False
    """Whether pixels that belong to no region stay those of the source frames, bit for bit."""
    deflicker: Deflicker | None = Deflicker(skip_last=3, final=False)
    """None for independent frames. By default the last steps are free: the result then keeps 0.98 of the independent
    frames' sharpness with 0.30 of their flicker (demo shot and model, as clay)."""
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
