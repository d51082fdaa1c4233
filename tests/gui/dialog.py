"""The extension installed as the manual says: by Blender's own dialog, into a Blender that has never seen it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from .install import PACKAGE, Installed
from .outcome import Outcome
from .window import Window

_OPEN = """
bpy.context.preferences.view.show_splash = False
window = bpy.context.window_manager.windows[0]
with bpy.context.temp_override(window=window, area=window.screen.areas[0]):
    bpy.ops.extensions.package_install_files("INVOKE_DEFAULT")
"""
_CHOOSE = """
areas = [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
params = next(area for area in areas if area.type == "FILE_BROWSER").spaces.active.params
params.directory, params.filename = {folder!r}.encode(), {name!r}
"""
_ENABLED = f"{PACKAGE!r} in bpy.context.preferences.addons and hasattr(bpy.context.scene, 'diffsynth')"


def install_by_dialog(blender: Path, extension: Path, folder: Path, pictures: Path, display: str) -> Iterator[Outcome]:
    """Choose the zip in Install from Disk…, and see it enabled.

    Args:
        blender: Its executable.
        extension: The zip.
        folder: For settings; made, and empty so far.
        pictures: Folder for screenshots.
        display: X display to make.
    """
    started_at = time.monotonic()
    (folder / "settings").mkdir(parents=True)  # Blender takes the user's own in place of a folder that is not there
    environment = Installed(blender, folder).environment
    with Window(blender, folder / "talk", display=display, environment=environment) as window:
        window.ask(_OPEN)
        time.sleep(3)
        window.ask(_CHOOSE.format(folder=str(extension.parent), name=extension.name))
        time.sleep(2)
        window.screenshot(pictures / "install.png")
        window.move(window.size[0] // 2, window.size[1] // 2)
        window.key("Return")
        try:
            window.wait_until(_ENABLED, seconds=120)
            as_wanted, told = True, "enabled"
        except (TimeoutError, RuntimeError) as error:
            as_wanted, told = False, str(error)
        window.screenshot(pictures / "screen-install.png")
    yield Outcome("Install from Disk…", as_wanted, told, time.monotonic() - started_at)
