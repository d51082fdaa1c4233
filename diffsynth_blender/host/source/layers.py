"""Which passes the view layers of an EXR file have, whichever Blender wrote it and whatever the layers are called.

Measured: `ViewLayer.Depth.Z`, `.Normal.XYZ`, `.Vector.XYZW`, `.Position.XYZ` and `.CryptoObject00.r` are the names in
4.2, 4.5, 5.0 and 5.2, in one part or in one for each pass. A File Output node leaves the layer's name out, writes depth
as `Depth.V`, and in 4.2 drops the fourth channel of Vector. A colour depth of 16 bits leaves these passes at 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..capture.checks import CaptureError
from .exr import ExrHead

NEEDED = {"depth": "Z", "normal": "Normal", "vector": "Vector", "position": "Position", "object": "Cryptomatte Object"}
"""The passes that are needed, with what Blender's interface calls them."""

PICTURE_NAMES = ("Combined", "Image")
"""What the picture is called: in files of a render, and in those of a File Output node."""

_PASS_NAMES = {"depth": ("depth", "z"), "normal": ("normal",), "vector": ("vector",), "position": ("position",),
               "object": ("cryptoobject00",)}  # fmt: skip
_COMPONENTS = {"depth": ("Z", "V"), "normal": ("XYZ", "RGB"), "vector": ("XYZW", "RGBA"), "position": ("XYZ", "RGB"),
               "object": ("R",)}  # fmt: skip


@dataclass(frozen=True)
class LayerPasses:
    """What a view layer has of the passes that are needed."""

    channels: dict[str, tuple[str, ...]]
    """Channel names by pass, in order, of those that are whole."""
    has_picture: bool
    """Whether it holds one, called as in `PICTURE_NAMES`."""
    broken: str = ""
    """A pass that is there without all its channels; empty where there is none."""

    @property
    def missing(self) -> list[str]:
        """What Blender's interface calls the passes that are not there."""
        return [label for kind, label in NEEDED.items() if kind not in self.channels]


def layers_of(head: ExrHead) -> dict[str, LayerPasses]:
    """Every view layer of a file, by name; that of a file without layers is ""."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for full in head.channels:
        names, component = full.split(".")[:-1], full.split(".")[-1]
        pass_name = names.pop() if names else ""
        found.setdefault(".".join(names), {}).setdefault(pass_name.casefold(), {})[component.upper()] = full
    return {layer: _passes(passes) for layer, passes in found.items()}


def choose_layer(path: Path, head: ExrHead, wanted: str, *, combined: bool) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The view layer that is read, and its channels by pass.

    Args:
        path: The file, for the message.
        head: What its head says.
        wanted: The layer that the artist chose; empty where only one has everything.
        combined: Whether its picture is needed as well.

    Raises CaptureError, in one sentence, for passes that are missing or stored too coarsely.
    """
    layers = layers_of(head)
    if wanted and wanted not in layers:
        names = ", ".join(map(repr, layers)) or "none"
        raise CaptureError(f"{path} has no view layer {wanted!r}: choose one of {names}.")
    candidates = {wanted: layers[wanted]} if wanted else layers
    whole = [name for name, passes in candidates.items() if not passes.missing]
    if not whole:
        name, nearest = min(candidates.items(), key=lambda item: len(item[1].missing), default=("", _passes({})))
        raise CaptureError(_lack(path, name, nearest))
    if len(whole) > 1:
        raise CaptureError(
            f"{path} has all passes in the view layers {', '.join(map(repr, whole))}: choose one as View Layer."
        )
    (layer,) = whole
    channels = layers[layer].channels
    if head.channels[channels["object"][0]] == "half":
        raise CaptureError(
            f"{path} stores object ids as half floats, which destroys them: set Color Depth to Float (Full) and render "
            "again."
        )
    if combined and not layers[layer].has_picture:
        raise CaptureError(f"The Combined pass is missing in {_where(path, layer)}: turn it on, or choose PNG files.")
    return layer, channels


def _lack(path: Path, layer: str, passes: LayerPasses) -> str:
    where = _where(path, layer)
    if passes.broken:
        return (
            f"Pass {passes.broken} of {where} lacks a channel, as File Output nodes of some versions leave it: write "
            "the passes with File Format OpenEXR MultiLayer in Output properties."
        )
    names = passes.missing
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    verb = "pass" if len(names) == 1 else "passes"
    return (
        f"The {verb} {listed} {'is' if len(names) == 1 else 'are'} missing in {where}: press Enable Passes and render "
        "the shot again."
    )


def _where(path: Path, layer: str) -> str:
    return f"view layer {layer!r} of {path}" if layer else str(path)


def _passes(found: dict[str, dict[str, str]]) -> LayerPasses:
    channels: dict[str, tuple[str, ...]] = {}
    broken = ""
    for kind, names in _PASS_NAMES.items():
        components = next((found[name] for name in names if name in found), None)
        if components is None:
            continue
        order = next((order for order in _COMPONENTS[kind] if set(order) <= set(components)), None)
        if order is None:
            broken = broken or NEEDED[kind]
        else:
            channels[kind] = tuple(components[component] for component in order)
    has_picture = any(set("RGB") <= set(found.get(name.casefold(), {})) for name in PICTURE_NAMES)
    return LayerPasses(channels, has_picture=has_picture, broken=broken)
