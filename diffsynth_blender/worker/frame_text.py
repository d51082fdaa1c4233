"""What a frame was made with, as text chunks of its PNG file: an image viewer or a script reads it, pixels are as ever.

The same names as the custom properties of a strip in Blender. No paths and no prompts: frames are given away.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath

from .. import __version__
from ..protocol import Settings


def frame_text(settings_hash: str, versions: Mapping[str, str], settings: Settings | None = None) -> dict[str, str]:
    """The text of the frames of one run.

    Args:
        settings_hash: hash of all that decided the frame, as in the journal and the report.
        versions: of everything that decided the frame, as in the report.
        settings: how it was restyled; None for frames that were only made steady.
    """
    text = {
        "Software": f"DiffSynth for Blender {__version__}",
        "diffsynth_settings_hash": settings_hash,
        "diffsynth_versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    if settings is not None:
        # A job may have been written on another system than the one it runs on.
        path = PureWindowsPath(settings.model) if "\\" in settings.model else PurePosixPath(settings.model)
        text |= {"diffsynth_model": path.name, "diffsynth_seed": str(settings.seed)}
    return text
