"""The camera of a rendered frame as two matrices.

Knows bpy's cameras; writes nothing.
"""

import bpy
from mathutils import Matrix

from ...protocol import Camera


def final_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of the rendered frame [px]."""
    render = scene.render
    percentage = render.resolution_percentage
    return render.resolution_x * percentage // 100, render.resolution_y * percentage // 100


def record_camera(scene: bpy.types.Scene) -> Camera:
    """The camera of the scene's current frame, as evaluated (constraints, parents, drivers)."""
    depsgraph = scene.view_layers[0].depsgraph
    camera = scene.camera.evaluated_get(depsgraph)
    width, height = final_size(scene)
    # A camera's scale does not show in the picture: every engine takes it out of the matrix.
    world_to_camera = camera.matrix_world.normalized().inverted()
    projection = camera.calc_matrix_camera(depsgraph, x=width, y=height)
    return Camera(scene.frame_current, _rows(world_to_camera), _rows(projection))


def shot_cameras(scene: bpy.types.Scene, first: int, last: int) -> list[bpy.types.Object]:
    """Every camera that the scene looks through from frame `first` to `last`, by its markers."""
    cuts = sorted((marker.frame, marker.camera) for marker in scene.timeline_markers if marker.camera)
    if not cuts:
        return [scene.camera] if scene.camera else []
    before = [camera for frame, camera in cuts if frame <= first] or [cuts[0][1]]
    during = [camera for frame, camera in cuts if first < frame <= last]
    return list(dict.fromkeys([before[-1], *during]))


def _rows(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)
