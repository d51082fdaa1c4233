"""What a known model is: one of the table in `known_table.py`."""

from dataclasses import dataclass
from typing import Literal

ModelKind = Literal["base", "controlnet", "lora", "tiny_vae", "ip_adapter"]
ModelFamily = Literal["sd15", "sdxl"]

FAMILY_LABELS: dict[str, str] = {
    "sd15": "Stable Diffusion 1.5",
    "sd2": "Stable Diffusion 2",
    "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3",
}


@dataclass(frozen=True)
class KnownFile:
    """One file of a model, on a hub and in the folder of models."""

    repository: str
    """On the hub, "owner/name"."""
    name: str
    """Its path in the repository."""
    target: str
    """Its path below the folder of models."""
    size: int | None = None
    """[bytes]; None where it is not known."""
    sha256: str | None = None
    """Of its content; None where it is not known."""
    revision: str | None = None
    """Commit of the repository; None for the newest."""


@dataclass(frozen=True)
class KnownModel:
    """A model, or what is added to one."""

    name: str
    """As in scripts."""
    label: str
    """For people."""
    kind: ModelKind
    family: ModelFamily
    licence: str
    files: tuple[KnownFile, ...]
    """The first is the one that is loaded by its path."""
    memory_gb: float = 0.0
    """[GB] on the device, beside the base model's."""
    controls: tuple[str, ...] = ()
    """Kinds of control that a ControlNet is for."""
    sampler: str = ""
    """The sampler that a few-step LoRA wants; "" where it does not matter."""
    steps: int = 0
    """Denoising steps that a few-step LoRA wants; 0 where it does not matter."""

    @property
    def size(self) -> int | None:
        """[bytes] of all files; None where one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)
