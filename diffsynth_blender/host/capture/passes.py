"""The exact passes of a frame: one sample at each pixel's centre, without blur of any kind.

A view layer of our own shows what the artist's layers show together. It is rendered by itself, after the artist's
frame and with motion blur, depth of field, compositing and denoising off, and is gone when the render is over.

Why not as one more layer of the artist's render: it would cost the same and write more. Blender evaluates the scene
anew for each view layer of a render. Measured at 1920x1080 with Cycles in Blender 4.5, textured scene of 0.4 million
faces, 4 samples, 2 cores, seconds of processor time: picture alone 31.6; picture and exact layer in one render 40.8;
exact layer in its own render 9.2. One render writes 87 MB a frame, because the artist's picture goes along with 32
bits; the exact layer alone takes 40 MB. And its own render is exact where the artist's cannot be: with motion blur on
the motion pass is zero, a lens moves the only sample, EEVEE gives every layer all its samples. An artist who has
Persistent Data on (Performance) pays half: 3.0 instead of 5.9 s for 6 million faces at 640x360.

Codec, same frame, file and time to read all of it with OpenEXR: ZIP 39.9 MB 0.26 s, ZIPS 40.0 MB 0.25 s, PIZ 43.2 MB
0.41 s, RLE 81 MB 0.18 s, none 158 MB 0.05 s. DWA rounds every channel named Y.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .. import compat
from .checks import CaptureError
from .scene_state import Borrowed, find_block

LAYER_NAME = "exact"
PASS_CHANNELS = {
    "depth": ("Depth.Z",),
    "normal": ("Normal.X", "Normal.Y", "Normal.Z"),
    "vector": ("Vector.X", "Vector.Y", "Vector.Z", "Vector.W"),
    "position": ("Position.X", "Position.Y", "Position.Z"),
    "object": ("CryptoObject00.r",),
}
"""Blender's own names, the same in every version, below the name of the view layer."""


def layer_name(scene: bpy.types.Scene) -> str:
    """A name for the exact view layer that no layer of the artist's has."""
    names = scene.view_layers.keys()
    return next(name for name in (LAYER_NAME + "_" * count for count in range(len(names) + 1)) if name not in names)


def channels(layer: str) -> dict[str, tuple[str, ...]]:
    """Channel names in the EXR by pass, for the view layer `layer`."""
    return {kind: tuple(f"{layer}.{name}" for name in names) for kind, names in PASS_CHANNELS.items()}


def shown_layers(scene: bpy.types.Scene) -> list[bpy.types.ViewLayer]:
    """The view layers that make the artist's picture."""
    if scene.render.use_single_layer and not bpy.app.background and bpy.context.scene == scene:
        return [bpy.context.view_layer]
    return [layer for layer in scene.view_layers if layer.use]


@contextmanager
def exact_passes(scene: bpy.types.Scene, path: Path, layer: str) -> Iterator[None]:
    """Have the next still render of `scene` write the exact passes to `path`, below the layer name `layer`."""
    uid = scene.session_uid
    shown = [shown_layer.name for shown_layer in shown_layers(scene)]
    with Borrowed() as borrowed:
        borrow_settings(borrowed, scene, path)
        for artist_layer in scene.view_layers:
            borrowed.set(artist_layer, use=False)
        try:
            exact = scene.view_layers.new(layer)
            set_up_layer(exact, [scene.view_layers[name] for name in shown])
            check_depth_of_field(scene)
            yield
        finally:
            scene = find_block(bpy.data.scenes, uid)
            if scene is not None and layer in scene.view_layers:
                scene.view_layers.remove(scene.view_layers[layer])


def borrow_settings(borrowed: Borrowed, scene: bpy.types.Scene, path: Path) -> None:
    """One sample in the middle of the pixel, nothing after it, into a multilayer EXR."""
    render = scene.render
    borrowed.set(render, filepath=compat.render_path(path), use_file_extension=True)
    borrowed.set(
        render,
        use_motion_blur=False,  # with blur on the motion pass is all zeros
        use_compositing=False,
        use_sequencer=False,
        use_freestyle=False,
        use_stamp=False,
        use_single_layer=False,
    )
    borrowed.keep_image_settings(render.image_settings)
    compat.use_multilayer_exr(render.image_settings, codec="ZIP")
    if render.engine == compat.CYCLES:
        borrowed.set_if_there(
            scene.cycles,
            samples=1,
            sample_offset=0,  # only the very first sample goes through the pixel's centre, ...
            pixel_filter_type="GAUSSIAN",
            filter_width=0.01,  # ... to 0.00001 px with this filter, to 0.0005 px with the default one
            use_sample_subset=False,
            use_adaptive_sampling=False,
            use_denoising=False,
            time_limit=0.0,
            film_exposure=0.0,  # leaves a black picture: the EXR always carries one, and noise does not compress
        )
    else:
        # A filter this narrow keeps EEVEE's sample at the pixel's centre.
        borrowed.set(render, filter_size=0.01)
        borrowed.set_if_there(scene.eevee, taa_render_samples=1, use_shadows=False, use_raytracing=False)
    if scene.camera.data.dof.use_dof:
        borrowed.set(scene.camera.data.dof, use_dof=False)  # one sample through a lens hits beside the pixel


def set_up_layer(exact: bpy.types.ViewLayer, shown: list[bpy.types.ViewLayer]) -> None:
    """Exact passes, and only those, of everything that any of the layers `shown` shows."""
    for prop in exact.bl_rna.properties:
        if prop.identifier.startswith("use_pass_") and not prop.is_readonly:
            setattr(exact, prop.identifier, False)
    for name in ("z", "normal", "vector", "position", "cryptomatte_object"):
        setattr(exact, f"use_pass_{name}", True)
    exact.pass_cryptomatte_depth = 2  # one level of two ids: a single sample hits a single object
    exact.use_freestyle = False
    for name in ("use_solid", "use_strand", "use_volumes", "use_sky"):
        setattr(exact, name, any(getattr(layer, name) for layer in shown))
    _show_union(exact.layer_collection, [layer.layer_collection for layer in shown])


def _show_union(exact: bpy.types.LayerCollection, shown: Iterable[bpy.types.LayerCollection]) -> None:
    """Copy visibility down the tree; parents first, because excluding one excludes its children."""
    shown = list(shown)
    visible = [collection for collection in shown if not collection.exclude]
    exact.exclude = not visible
    if visible:
        exact.holdout = all(collection.holdout for collection in visible)
        exact.indirect_only = all(collection.indirect_only for collection in visible)
    for child in exact.children:
        _show_union(child, [collection.children[child.name] for collection in shown])


def check_depth_of_field(scene: bpy.types.Scene) -> None:
    """Raise `CaptureError` where animation or a driver switches depth of field back on."""
    camera = scene.camera
    if camera.data.animation_data is None:
        return
    # The render evaluates animation anew, so do the same: what it sets shows only after a change of frame.
    scene.frame_set(scene.frame_current)
    if camera.evaluated_get(scene.view_layers[0].depsgraph).data.dof.use_dof:
        raise CaptureError(
            f"Depth of field of camera {camera.name!r} is switched by animation: remove the key frames or the driver "
            "of Depth of Field in Camera properties."
        )
