"""Reading `Settings` from JSON, strictly: every complaint names file, key and remedy."""

from dataclasses import fields
from pathlib import PurePosixPath, PureWindowsPath

from .animation import decode_animation
from .fields import JsonObject
from .settings import (
    ATTENDED_FRAMES,
    CONTROL_KINDS,
    DEVICES,
    MOTION_ATTENTION,
    NOISE_KINDS,
    PRECISIONS,
    SAMPLERS,
    SMOOTHED_ALONG,
    UPSCALES,
    Attention,
    Control,
    Deflicker,
    KeyFrames,
    Lora,
    Noise,
    Reference,
    Region,
    Settings,
)
from .texts import stays_below

FACTOR_LIMIT = 100.0
"""Largest guidance and scale. Far below it a picture falls apart; numbers without a limit become infinite in it."""

OPTIONAL = ("vae",)
"""Settings that a job may leave out: those of before there was a choice of the VAE do not name it."""


def _keys(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def decode_settings(parent: JsonObject, key: str) -> Settings:
    """The settings under a key. Raises BadJobError naming file, key and remedy."""
    required = [name for name in _keys(Settings) if name not in OPTIONAL]
    settings = parent.child(key, required, optional=OPTIONAL)
    regions = _decode_regions(settings)
    controls, deflicker = _decode_controls(settings), _decode_deflicker(settings)
    keep_rest = settings.boolean("keep_rest")
    if keep_rest and not regions:
        raise settings.error("keep_rest", "false where there are no regions")
    return Settings(
        prompt=settings.text("prompt", may_be_empty=True),
        negative_prompt=settings.text("negative_prompt", may_be_empty=True),
        model=_decode_model(settings),
        vae=_decode_path(settings, "vae", may_be_empty=True) if settings.has("vae") else "",
        loras=tuple(
            Lora(_decode_path(lora, "path"), lora.number("weight", -10.0, 10.0))
            for lora in settings.children("loras", _keys(Lora))
        ),
        clip_skip=settings.integer("clip_skip", 0, 11),
        sampler=settings.text("sampler", choices=SAMPLERS),
        seed=settings.integer("seed", 0, 2**63 - 1),
        steps=settings.integer("steps", 1, 1000),
        strength=settings.number("strength", 0.0, 1.0, above=True),
        guidance_scale=settings.number("guidance_scale", 1.0, FACTOR_LIMIT),
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
    path = parent.path(key)
    if not (_is_absolute(path) if path else may_be_empty):
        raise parent.error(key, "an absolute path" + (" or empty" if may_be_empty else ""))
    return path


def _decode_model(settings: JsonObject) -> str:
    model = settings.path("model")
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
                control.number("scale", 0.0, FACTOR_LIMIT),
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
    ranges = {"guidance_scale": (1.0, FACTOR_LIMIT)}
    ranges |= {f"controls.{control.kind}.scale": (0.0, FACTOR_LIMIT) for control in controls}
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
    image = reference.path("image")
    if not image or not (_is_absolute(image) or stays_below(image)):
        raise reference.error("image", "an absolute path or a path below the job folder")
    return Reference(
        image,
        reference.boolean("attention"),
        _decode_path(reference, "ip_adapter", may_be_empty=True),
        reference.number("ip_adapter_scale", 0.0, FACTOR_LIMIT),
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
