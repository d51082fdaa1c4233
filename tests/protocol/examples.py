"""A small valid job, as Python and as the JSON object in its file, for every test that needs one."""

import json
from pathlib import Path

from diffsynth_blender.protocol import (
    Animation,
    Attention,
    Camera,
    Control,
    Deflicker,
    Job,
    KeyFrames,
    Lora,
    Redo,
    Reference,
    Region,
    Settings,
    Shot,
    save_job,
)

IDENTITY = tuple(tuple(float(row == column) for column in range(4)) for row in range(4))


def example_job() -> Job:
    """Frames 1, 3, 5 of a shot of 64x48 pixels, with passes for 1 to 5."""
    return Job(
        Shot(
            name="shot",
            blender="4.5.15",
            engine="CYCLES",
            width=64,
            height=48,
            fps=(24, 1),
            frames=(1, 3, 5),
            pass_frames=(1, 2, 3, 4, 5),
            source="source/{frame:04d}.png",
            passes="passes/{frame:04d}.exr",
            channels={
                "depth": ("exact.Depth.Z",),
                "normal": ("exact.Normal.X", "exact.Normal.Y", "exact.Normal.Z"),
                "vector": ("exact.Vector.X", "exact.Vector.Y", "exact.Vector.Z", "exact.Vector.W"),
                "position": ("exact.Position.X", "exact.Position.Y", "exact.Position.Z"),
                "object": ("exact.CryptoObject00.r",),
            },
            background_depth=1e9,
            sample_offset=(0.0, 0.0),
            cameras=tuple(Camera(frame, IDENTITY, IDENTITY) for frame in range(1, 6)),
        ),
        Settings(
            prompt="a clay model",
            loras=(Lora("/loras/clay.safetensors", 0.5),),
            attention=Attention(),
            controls=(Control("depth", start=0.25, end=0.5), Control("normal")),
            reference=Reference("reference.png"),
            regions=(Region(("Cube", "Sphere"), "gold"),),
            deflicker=Deflicker(steps=(1, 4), window=(8, 2), strength=(1.0, 0.5)),
            key_frames=KeyFrames(),
            animation=(Animation("controls.depth.scale", (1, 5), (0.5, 1.0)),),
        ),
        (Redo(3, 5, Settings(prompt="glass")),),
    )


def example_value(folder: Path) -> dict:
    """The JSON object that `save_job` writes for `example_job`; `folder` then holds the job file."""
    return json.loads(save_job(example_job(), folder).read_text())
