"""The graphics card is given to the worker: what this Blender holds there and can do without is freed first.

What bpy can free, and what not: a viewport in Rendered shading holds the whole scene on the card; it is put to Solid
and put back at the end. Persistent Data keeps the last render's scene; it is let go. Textures of images that were
drawn go too and come back when they are drawn again. Final renders hold nothing: shots are rendered in a Blender of
their own, which is gone by then. What the interface itself and Solid or Material Preview viewports need stays.
"""

from __future__ import annotations

import bpy


class FreedMemory:
    """What was freed, for as long as the worker runs."""

    def __init__(self) -> None:
        """Free everything that can be freed."""
        self._spaces: list[tuple[str, int]] = []  # screen and place of each viewport that was put to Solid
        for screen in bpy.data.screens:
            for place, space in enumerate(_viewports(screen)):
                if space.shading.type == "RENDERED":
                    space.shading.type = "SOLID"
                    self._spaces.append((screen.name, place))
        for scene in bpy.data.scenes:
            if scene.render.use_persistent_data:
                scene.render.use_persistent_data = False  # lets go at once what it kept
                scene.render.use_persistent_data = True
        for image in bpy.data.images:
            image.gl_free()

    def give_back(self) -> None:
        """Put the viewports back that are still as this left them; others are as the artist wants them now."""
        for name, place in self._spaces:
            screen = bpy.data.screens.get(name)
            spaces = _viewports(screen) if screen is not None else []
            if place < len(spaces) and spaces[place].shading.type == "SOLID":
                spaces[place].shading.type = "RENDERED"
        self._spaces.clear()


def _viewports(screen: bpy.types.Screen) -> list[bpy.types.SpaceView3D]:
    return [space for area in screen.areas for space in area.spaces if space.type == "VIEW_3D"]
