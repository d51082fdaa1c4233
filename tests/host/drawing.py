"""Panels drawn for real, though nobody sees them: Blender makes the layout of a popup in the background too."""

import bpy


def draw(panel: type[bpy.types.Panel], area_type: str = "PROPERTIES") -> list[dict]:
    """Draw a panel, header and all, as in an area of the first window.

    Returns what Blender has laid out, flat and in order: each with "draw_string" (what is written), "tip", and "rna"
    (the property, such as "DiffsynthSettings.seed[0]") or "operator" where it is one. Raises what drawing raises.
    """
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type in {area_type, "PROPERTIES"})
    area.type = area_type
    region = next(region for region in area.regions if region.type == "WINDOW")
    # Blender alone makes instances of registered classes: the same class without the registered base stands in.
    bases = tuple(base for base in panel.__bases__ if base is not bpy.types.Panel)
    skipped = {"__dict__", "__weakref__", "__slots__", "bl_rna"}
    stand_in = type(panel.__name__, bases, {key: value for key, value in vars(panel).items() if key not in skipped})()
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
        # Its end is not called: that would show it.
        popup = bpy.context.window_manager.popmenu_begin__internal("", icon="NONE")
        for name in ("draw_header", "draw_header_preset", "draw"):
            if hasattr(stand_in, name):
                stand_in.layout = popup.layout.column()
                getattr(stand_in, name)(bpy.context)
        return list(_flat(popup.layout.introspect()))


def drawn_properties(panel: type[bpy.types.Panel], area_type: str = "PROPERTIES") -> set[str]:
    """The properties that a panel shows, such as "DiffsynthSettings.seed"."""
    return {item["rna"].split("[")[0] for item in draw(panel, area_type) if "rna" in item}


def _flat(items: list[dict]):
    for item in items:
        yield {key: value for key, value in item.items() if key != "items"}
        yield from _flat(item.get("items", []))
