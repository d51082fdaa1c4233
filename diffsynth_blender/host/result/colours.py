"""Where result frames are shown to the bit, and what to change where they are not.

Result frames are display-referred sRGB. Blender takes them to its working space and through the scene's view transform;
only under these settings the two ways cancel out, value for value.
"""

from __future__ import annotations

import bpy

from ...protocol import BadJobError

_EXACT = (
    ("display_settings", "display_device", "sRGB", "Color Management > Display Device"),
    ("view_settings", "view_transform", "Standard", "Color Management > View Transform"),
    ("view_settings", "look", "None", "Color Management > Look"),
    ("view_settings", "exposure", 0.0, "Color Management > Exposure"),
    ("view_settings", "gamma", 1.0, "Color Management > Gamma"),
    ("view_settings", "use_curve_mapping", False, "Color Management > Use Curves"),
    ("view_settings", "use_white_balance", False, "Color Management > White Balance"),  # since 4.3
    ("sequencer_colorspace_settings", "name", "sRGB", "Color Management > Sequencer"),
    ("render", "dither_intensity", 0.0, "Output > Post Processing > Dither"),
)
"""Part of a scene, setting, the value that keeps sRGB frames as they are, and where an artist finds it."""


def show_exactly(scene: bpy.types.Scene) -> None:
    """Give a scene the only colour settings that keep sRGB frames bit-exact.

    Raises BadJobError when Blender runs with a colour configuration that lacks them.
    """
    try:
        for part, name, value, _ in _EXACT:
            if hasattr(getattr(scene, part), name):
                setattr(getattr(scene, part), name, value)
    except TypeError as error:
        raise BadJobError(
            f"this colour configuration lacks what shows the frames exactly ({error}); use Blender's own configuration"
        ) from error


def colour_warning(scene: bpy.types.Scene, *, sequencer: bool) -> str:
    """What changes the colours of result frames in a scene and where to set it otherwise; "" where nothing does.

    Args:
        scene: Whose sequencer or compositor shows the frames.
        sequencer: Whether it is its sequencer.
    """
    wrong = []
    for part, name, value, place in _EXACT:
        found = getattr(getattr(scene, part), name, value)
        if found != value and (sequencer or part != "sequencer_colorspace_settings"):
            wrong.append(f"{place} to {_spoken(value)} (it is {_spoken(found)})")
    if not wrong:
        return ""
    return f"Scene {scene.name!r} changes the colours of finished frames; to keep them set {', '.join(wrong)}"


def _spoken(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
