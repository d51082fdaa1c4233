"""The Combined pass of EXR files -> what the artist sees: through the scene's view transform, as an 8-bit PNG.

By way of a compositor that holds nothing but the file, in a scene that exists only meanwhile. Measured in 4.2, 4.5, 5.0
and 5.2: from files of 32 bits this gives the very pixels of the PNG that the render itself would have written, and from
those of another version, of 4.2 to 5.2, pixels that differ by 1 of 255 at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .. import compat
from ..capture.checks import CaptureError
from ..capture.scene_state import Borrowed
from .layers import PICTURE_NAMES


class PictureMaker:
    """Renders the Combined pass of one file after the other; of use within `with`."""

    def __init__(self, scene: bpy.types.Scene, layer: str) -> None:
        """For the colours of the artist's scene, and a view layer of the files."""
        self._shot_scene = scene
        self._layer = layer

    def __enter__(self) -> PictureMaker:
        self._scene = alone = self._shot_scene.copy()
        self._own_tree = compat.new_compositor(alone)
        tree = self._own_tree or alone.node_tree
        self._node = tree.nodes.new("CompositorNodeImage")
        self._output = next(node for node in tree.nodes if node != self._node).inputs[0]
        for collection in list(alone.collection.children):  # nothing of the 3D scene is evaluated for it
            alone.collection.children.unlink(collection)
        for thing in list(alone.collection.objects):
            alone.collection.objects.unlink(thing)
        render = alone.render
        render.use_compositing, render.use_sequencer = True, False
        render.use_border = render.use_multiview = render.use_stamp = render.use_freestyle = False
        render.use_file_extension = True
        # 5.2 composes on the graphics card where nobody says otherwise; where that is Mesa's software, it crashes at a
        # picture's mipmaps.
        render.compositor_device, render.compositor_precision = "CPU", "FULL"
        compat.use_png(render.image_settings)
        render.image_settings.color_mode = "RGBA" if render.film_transparent else "RGB"
        render.image_settings.color_management = "FOLLOW_SCENE"
        return self

    def __exit__(self, *_: object) -> None:
        bpy.data.scenes.remove(self._scene)
        if self._own_tree is not None:
            bpy.data.node_groups.remove(self._own_tree)

    @contextmanager
    def picture(self, exr: Path, frame: int, path: Path) -> Iterator[bpy.types.Scene]:
        """The scene whose next still render writes the picture of the EXR file of a frame to `path`."""
        self._scene.frame_set(frame)  # exposure may be animated
        image = bpy.data.images.load(str(exr))
        try:
            self._node.image = image
            shown = next(filter(None, map(self._node.outputs.get, PICTURE_NAMES)), None)
            if shown is None or not self._choose_layer():
                raise CaptureError(f"{exr} shows Blender no Combined pass: render it again, or choose PNG files.")
            shown = next(filter(None, map(self._node.outputs.get, PICTURE_NAMES)))  # those of the layer
            self._output.id_data.links.new(shown, self._output)
            with Borrowed() as borrowed:
                borrowed.set(self._scene.render, filepath=compat.render_path(path))
                yield self._scene
        finally:
            bpy.data.images.remove(image)

    def _choose_layer(self) -> bool:
        if not self._layer or not self._node.has_layers:
            return True
        # 4.2 gives each part of a file from 5.0 on a layer of its own.
        for name in (self._layer, f"{self._layer}.{PICTURE_NAMES[0]}.{self._layer}"):
            try:
                self._node.layer = name
                return True
            except TypeError:  # no such item
                continue
        return False
