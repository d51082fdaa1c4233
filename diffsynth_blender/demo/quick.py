"""How the demo model is shown: few steps, which do (see its card). For the demo and the gallery; host and worker."""

from ..protocol import Deflicker, Settings

STRENGTH = 0.6
"""A little more than the default, so that the look is unmistakable."""
MATERIAL_STRENGTH = 0.8
"""For a look that turns everything into one material: with less the old patterns shine through."""
STEPS = 8
GUIDANCE = 1.0
"""None: the model has learnt to do without, which halves the time."""


def quick_settings(prompt: str, *, strength: float = STRENGTH, model: str = "demo") -> Settings:
    """Settings for a look that the prompt alone decides, with independent frames to compare with."""
    # Of so few steps one is free; as smooth as the frames are by then, what is left is steadied in the finished ones.
    steady = Deflicker(skip_last=1)
    return Settings(
        prompt=prompt,
        model=model,
        strength=strength,
        steps=STEPS,
        guidance_scale=GUIDANCE,
        deflicker=steady,
        baseline=True,
    )
