"""What only the scene knows of a frame: its camera, and the matrices of its objects. Renders nothing."""

import bpy

from ...protocol import Camera
from ...protocol.objects import save_objects
from .cameras import record_camera
from .checks import CaptureError, check_camera, check_camera_motion
from .folder import OBJECTS_PATTERN, CaptureFolder
from .objects import ObjectRecorder


class ShotRecorder:
    """Records the frames of a shot, one after the other."""

    def __init__(self, folder: CaptureFolder) -> None:
        """Take the folder that receives the matrices."""
        self.cameras: list[Camera] = []
        """Of the frames so far."""
        self._folder = folder
        self._objects = ObjectRecorder()
        self._seen_through = 0  # session_uid of the last frame's camera

    def record(self, scene: bpy.types.Scene) -> None:
        """Record the scene's current frame.

        Raises CaptureError where its camera, or how it has moved, is none whose motion can be exact, and where the
        matrices cannot be written.
        """
        check_camera(scene.camera)
        self.cameras.append(record_camera(scene))
        if scene.camera.session_uid == self._seen_through:
            check_camera_motion(scene.render.engine, scene.camera, *self.cameras[-2:])
        self._seen_through = scene.camera.session_uid
        path = self._folder.final_path(OBJECTS_PATTERN, scene.frame_current)
        try:
            save_objects(self._objects.record(scene), path)
        except OSError as error:
            raise CaptureError(f"{path} could not be written: {error.strerror}; make room and start again.") from error
