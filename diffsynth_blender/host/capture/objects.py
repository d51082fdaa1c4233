"""The matrices of a frame's objects, for those whose pixels one matrix can move.

The worker still checks every matrix against the motion vectors of the pixels, so what is written here need not be
right for each renderer and modifier; it must only not be ambiguous. Left out are:
- instances (of collections, particles, geometry nodes) and every object whose name, hence id, is not its own;
- objects whose shape has changed since the frame before, as far as the box around it tells: a mesh that deforms while
  nothing of it is seen leaves the worker nothing to check.
"""

from collections import Counter
from math import isfinite

import bpy

from ...protocol.cryptomatte import object_id
from ...protocol.shot import Matrix
from .passes import shown_layers

SOLID_TYPES = ("MESH", "CURVE", "SURFACE", "FONT")


class ObjectRecorder:
    """Records one frame after the other, in order."""

    def __init__(self) -> None:
        self._boxes: dict[str, Matrix] = {}

    def record(self, scene: bpy.types.Scene) -> dict[int, Matrix]:
        """Object to world by object id at the scene's current frame, as evaluated (parents, constraints, drivers)."""
        namesakes = Counter(thing.name for thing in bpy.data.objects)  # a linked object may bear a local one's name
        before, self._boxes = self._boxes, {}
        matrices = {}
        for layer in shown_layers(scene):
            shown: Counter[str] = Counter()
            for instance in layer.depsgraph.object_instances:
                thing = instance.object
                name = thing.name
                shown[name] += 2 if instance.is_instance else 1  # the instance itself may be in another layer
                if not instance.is_instance and thing.type in SOLID_TYPES:
                    self._boxes[name] = _rows(thing.bound_box)
                    matrices[name] = _rows(instance.matrix_world)
            namesakes |= shown
        return {
            object_id(name): matrix
            for name, matrix in matrices.items()
            if namesakes[name] == 1
            and before.get(name, self._boxes[name]) == self._boxes[name]
            and all(isfinite(value) for row in matrix for value in row)  # a driver may divide by zero
        }


def _rows(values: bpy.types.bpy_prop_array) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in values)
