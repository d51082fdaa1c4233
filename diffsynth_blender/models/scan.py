"""Looking through the folders of other programs for models: the hub's cache, ComfyUI, A1111, or any folder.

What a file is decides its header, not where it lies; where the two disagree the artist is told.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import CheckpointError
from .header import refuse_pickles
from .identify import KIND_NAMES, Identity, identify

_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_SHELVES = {
    "checkpoints": "base",
    "stable-diffusion": "base",
    "controlnet": "controlnet",
    "loras": "lora",
    "lora": "lora",
    "vae": "vae",
    "ipadapter": "ip_adapter",
    "clip_vision": "image_encoder",
}
"""Folders of ComfyUI and A1111, in small letters, and what they are for."""
_FAMILY_WORDS = (
    ("sdxl", r"(?<![a-z])(sd[-_ .]?)?xl(?![a-z])", "XL"),
    ("sd15", r"(?<![a-z])sd[-_ .]?1[-_ .]?5|(?<![a-z0-9])v1[-_ .]5", "Stable Diffusion 1.5"),
)


@dataclass(frozen=True)
class Found:
    """A file or a folder that was looked at."""

    path: Path
    identity: Identity | None
    """None where it cannot be used."""
    remark: str = ""
    """One sentence: why it cannot be used, or in what its name or place misleads; "" where all is well."""


def scan(root: Path) -> Iterator[Found]:
    """Everything below a folder that is a model or ought to be one, in the order of the paths.

    Links are followed, as the hub's cache and many collections consist of them, each folder once.

    Raises CheckpointError where there is no such folder.
    """
    if not root.is_dir():
        raise CheckpointError(f"{root}: no such folder; choose another")
    seen: set[str] = set()
    for text, folders, files in os.walk(root, followlinks=True):
        folder = Path(text)
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        is_model, is_part = "model_index.json" in files, "config.json" in files
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "blobs")
        if is_model:
            folders[:] = [name for name in folders if name.startswith("controlnet_")]  # its other parts are its own
        if is_model or (is_part and _is_own(folder)):
            yield look_at(folder)
            continue
        for name in sorted(files):
            if Path(name).suffix.lower() in (".safetensors", *_PICKLES) and not name.startswith("."):
                yield look_at(folder / name)


def look_at(path: Path) -> Found:
    """What one file or folder is, and what is wrong with it."""
    try:
        refuse_pickles(path)
        identity = identify(path)
    except (CheckpointError, KeyError, IndexError) as error:
        text = str(error) if isinstance(error, CheckpointError) else f"{path}: is no model known here"
        return Found(path, None, text)
    return Found(path, identity, _misleading(path, identity))


def _is_own(folder: Path) -> bool:
    """Whether a folder with a configuration is something by itself, and not some program's own."""
    try:
        return identify(folder).kind in KIND_NAMES
    except CheckpointError:
        return "ControlNet" in (folder / "config.json").read_text(encoding="utf-8", errors="replace")


def _misleading(path: Path, identity: Identity) -> str:
    """A sentence where name or place promise something else."""
    for part in reversed([parent.name.lower() for parent in path.parents][:3]):
        kind = _SHELVES.get(part)
        alike = {kind, identity.kind} <= {"vae", "tiny_vae"}
        if kind and kind != identity.kind and not alike:
            return f"{path}: lies where {KIND_NAMES[kind]} belongs, but is {KIND_NAMES[identity.kind]}; move it"
    if identity.family:
        for family, words, label in _FAMILY_WORDS:
            told = re.search(words, path.stem.lower())
            if told and family != identity.family and identity.kind != "image_encoder":
                return f"{path}: its name tells of {label}, but its weights are of the family {identity.family}"
    return ""
