"""The artist's frame: rendered as ever, written as an 8-bit PNG.

Only where the file goes and what is laid over the picture is changed. Samples, view layers, motion blur, depth of
field, compositor (with its File Output nodes, which write their files as in any render), view transform and look are
the artist's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .. import compat
from ..result.compositor import rendered_picture
from .scene_state import Borrowed


@contextmanager
def artist_frame(scene: bpy.types.Scene, path: Path) -> Iterator[None]:
    """Have the next still render of `scene` write the artist's frame to `path`."""
    render = scene.render
    image_settings = render.image_settings
    # Results that were put in place of the render in the compositor are not to be stylised again.
    with rendered_picture(scene), Borrowed() as borrowed:
        borrowed.set(render, filepath=compat.render_path(path), use_file_extension=True)
        # The sequencer would put an edit in place of the scene; burnt-in metadata would be restyled too.
        borrowed.set(render, use_sequencer=False, use_stamp=False)
        borrowed.keep_image_settings(image_settings)
        compat.use_png(image_settings)
        image_settings.color_mode = "RGBA" if render.film_transparent else "RGB"
        image_settings.color_management = "FOLLOW_SCENE"  # what is on the artist's screen
        yield
