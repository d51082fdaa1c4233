"""The paper's five tasks as looks: a literal table of settings that anyone can pick by name.

What a model class needs differs, so each look has two columns: one for Stable Diffusion's families, after the authors'
published configurations, and one for the demo model, which is small and has ControlNets for depth, normal and tile: it
wants half the strength and hardly any guidance. What the demo model cannot do is said in the table.
"""

from dataclasses import dataclass, fields, replace

from .errors import BadJobError
from .settings import Attention, Control, Deflicker, Settings

NEIGHBOURS = Attention(("previous", "self", "next"))
ANCHORED = Attention(("first", "previous", "self", "next"))
DEMO_STEADY = Deflicker(skip_last=3, final=False)
DEMO_CONTROLS = (Control("depth"), Control("normal"), Control("tile"))


@dataclass(frozen=True)
class LookSettings:
    """The settings that a look decides; those of the same names in `Settings`."""

    strength: float
    steps: int
    guidance_scale: float
    controls: tuple[Control, ...]
    attention: Attention | None
    deflicker: Deflicker
    keep_rest: bool = False
    upscale: int = 1


@dataclass(frozen=True)
class Look:
    """One task."""

    name: str
    """As in scripts."""
    label: str
    """For people."""
    description: str
    """One sentence for people."""
    settings: LookSettings
    """For Stable Diffusion models. The window is ours: exact motion averages without blur what the authors' matched
    patches average over all frames."""
    demo: LookSettings
    """For the demo model."""
    demo_lacks: str = ""
    """What of the look the demo model cannot do."""
    needs: tuple[str, ...] = ()
    """Settings without which it means nothing: "reference", "regions"."""

    def settings_for(self, model: str) -> LookSettings:
        """The column of a model, given as in `Settings.model`."""
        return self.demo if model == "demo" else self.settings


LOOKS: dict[str, Look] = {
    look.name: look
    for look in (
        Look(
            "render",
            "3D Rendering",
            "Turns a plain render into a finished picture: light, materials and detail as the prompt says",
            LookSettings(1.0, 20, 7.5, (Control("depth"),), NEIGHBOURS, Deflicker(skip_last=1, window=8)),
            LookSettings(0.5, 20, 1.5, DEMO_CONTROLS, None, DEMO_STEADY),
            demo_lacks="frames do not look at each other: it is the fast one to try things with",
        ),
        Look(
            "text",
            "Text-Guided Stylisation",
            "Repaints the shot in the style of the prompt; shapes and edges stay",
            LookSettings(
                1.0, 20, 7.5, (Control("depth"), Control("softedge")), ANCHORED, Deflicker(interval=5, window=8)
            ),
            LookSettings(0.6, 20, 1.5, DEMO_CONTROLS, ANCHORED, Deflicker(interval=5, final=False)),
            demo_lacks="normals and the render itself in place of soft edges, and the looks it was trained on",
        ),
        Look(
            "image",
            "Image-Guided Stylisation",
            "Repaints the shot in the look of a reference picture: its colours, its brush, its materials",
            LookSettings(1.0, 20, 7.5, (Control("depth"), Control("shuffle")), NEIGHBOURS, Deflicker(window=8)),
            LookSettings(0.6, 20, 1.5, DEMO_CONTROLS, NEIGHBOURS, DEMO_STEADY),
            demo_lacks="the picture comes in through attention alone, not through shuffling it",
            needs=("reference",),
        ),
        Look(
            "fashion",
            "Fashion and Regions",
            "Restyles chosen objects only, such as clothes; every other pixel stays as it was rendered",
            LookSettings(1.0, 10, 7.5, (Control("depth"),), ANCHORED, Deflicker(skip_last=1, window=3), keep_rest=True),
            LookSettings(0.6, 20, 1.5, DEMO_CONTROLS, ANCHORED, Deflicker(skip_last=1, window=3), keep_rest=True),
            demo_lacks="the looks it was trained on are all it knows",
            needs=("regions",),
        ),
        Look(
            "restore",
            "Restoring",
            "Makes the frames twice as large and gives them the detail they lack; nothing is repainted",
            LookSettings(0.3, 10, 7.5, (Control("tile"),), NEIGHBOURS, Deflicker(window=8), upscale=2),
            LookSettings(0.3, 10, 1.5, DEMO_CONTROLS, NEIGHBOURS, Deflicker(skip_last=1, final=False), upscale=2),
            demo_lacks="edges become a little softer: it never saw frames larger than 320 pixels",
        ),
    )
}
"""By name. The first is the default."""

DEFAULT_LOOK = "render"

_REMEDIES = {
    "reference": "a reference picture; give one (settings.reference)",
    "regions": "the objects to restyle; name them (settings.regions)",
}


def apply_look(settings: Settings, look: str) -> Settings:
    """The settings with everything that a look decides in its place; the model's column is chosen by `settings.model`.

    Raises BadJobError where no look has this name.
    """
    if look not in LOOKS:
        raise BadJobError(f"there is no look {look!r}; choose one of {', '.join(LOOKS)}")
    chosen = LOOKS[look].settings_for(settings.model)
    return replace(settings, **{field.name: getattr(chosen, field.name) for field in fields(chosen)})


def check_look(settings: Settings, look: str) -> None:
    """Raise BadJobError where the settings lack what a look needs."""
    for need in LOOKS[look].needs:
        if not getattr(settings, need):
            raise BadJobError(f"the look {LOOKS[look].label!r} needs {_REMEDIES[need]}")
