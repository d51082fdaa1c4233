"""Borrow a scene's settings and give every one of them back.

Knows nothing of captures: it only remembers what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import bpy


class Borrowed:
    """Settings changed for the length of a `with` block.

    Leaving the block, for whatever reason, puts the old values back, the last change first.
    """

    def __init__(self) -> None:
        self._before: list[tuple[_Address, str, object]] = []

    def __enter__(self) -> Borrowed:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        while self._before:
            address, name, value = self._before.pop()
            owner = address.find()
            if owner is not None and getattr(owner, name) != value:
                setattr(owner, name, value)

    def set(self, owner: bpy.types.bpy_struct, **values: object) -> None:
        """Change settings of `owner`."""
        for name, value in values.items():
            self.keep(owner, name)
            if getattr(owner, name) != value:
                setattr(owner, name, value)

    def set_if_there(self, owner: bpy.types.bpy_struct, **values: object) -> None:
        """Change those settings of `owner` that this version of Blender has."""
        self.set(owner, **{name: value for name, value in values.items() if hasattr(owner, name)})

    def keep(self, owner: bpy.types.bpy_struct, name: str) -> None:
        """Remember a setting that somebody else is about to change."""
        self._before.append((_Address(owner), name, getattr(owner, name)))

    def keep_image_settings(self, image_settings: bpy.types.ImageFormatSettings) -> None:
        """Remember a whole file format: choosing another one changes depth, colour mode and codec along the way."""
        colorspace = image_settings.linear_colorspace_settings.name
        if colorspace:  # never chosen: Blender fills in the format's own, and nothing can empty it again
            # By way of its owner: Blender itself does not know the path of these settings.
            self._before.append((_Address(image_settings, ".linear_colorspace_settings"), "name", colorspace))
        decisive = ("media_type", "file_format", "color_mode", "color_depth")
        names = [
            prop.identifier
            for prop in image_settings.bl_rna.properties
            if not prop.is_readonly and prop.type != "POINTER"
        ]
        # Given back last first, so what the others depend on comes last here.
        for name in sorted(names, key=lambda name: -decisive.index(name) if name in decisive else -len(decisive)):
            self.keep(image_settings, name)


class _Address:
    """Where a struct is found again.

    A render in the interface lasts over many events, an undo among them, and undo may replace every struct: one that
    was remembered by itself could be gone.
    """

    def __init__(self, owner: bpy.types.bpy_struct, inside: str = "") -> None:
        self._owner = owner
        self._collection = {bpy.types.Scene: "scenes", bpy.types.Camera: "cameras"}.get(type(owner.id_data))
        if self._collection:
            self._session_uid = owner.id_data.session_uid
            self._path = "" if owner == owner.id_data else owner.path_from_id() + inside

    def find(self) -> bpy.types.bpy_struct | None:
        """The struct, or None where the artist deleted what holds it."""
        if not self._collection:  # the preferences: not part of the file
            return self._owner
        block = find_block(getattr(bpy.data, self._collection), self._session_uid)
        return block.path_resolve(self._path) if block and self._path else block


def find_block(collection: bpy.types.bpy_prop_collection, session_uid: int) -> bpy.types.ID | None:
    """The data-block with that `session_uid`, which undo and renaming leave alone, or None."""
    return next((block for block in collection if block.session_uid == session_uid), None)


@contextmanager
def same_frame_after(scene: bpy.types.Scene) -> Iterator[None]:
    """Give the scene back at the frame, and with the camera, that it was borrowed with."""
    uid, frame, subframe = scene.session_uid, scene.frame_current, scene.frame_subframe
    camera = scene.camera and scene.camera.session_uid
    try:
        yield
    finally:
        scene = find_block(bpy.data.scenes, uid)
        if scene is not None:
            scene.frame_set(frame, subframe=subframe)
            # Markers switch cameras along the way, and the artist may have looked through yet another one.
            before = find_block(bpy.data.objects, camera) if camera else None
            if scene.camera != before:
                scene.camera = before


@contextmanager
def same_images_after() -> Iterator[None]:
    """Remove the images that rendering leaves behind where there were none ("Render Result", "Viewer Node")."""
    before = {image.session_uid for image in bpy.data.images}
    try:
        yield
    finally:
        for image in list(bpy.data.images):
            if image.session_uid not in before and image.type in {"RENDER_RESULT", "COMPOSITING"}:
                bpy.data.images.remove(image)
