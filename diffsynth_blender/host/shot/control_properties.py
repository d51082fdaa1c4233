"""The ControlNets of a shot, one place for each kind: what the artist chooses of them."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, PointerProperty, StringProperty

from ..compat import RELATIVE_PATH

EXACT = ("EXACT", "Exact Passes", "Read from the render's passes; an error where the shot has none")
STILL: set[str] = set()
"""Options of a property whose keyframes nobody would read."""
LABELS = {
    "depth": "Depth",
    "normal": "Normal",
    "softedge": "Soft Edge",
    "lineart": "Line Art",
    "canny": "Canny",
    "tile": "Tile",
    "shuffle": "Shuffle",
}
"""The kinds of the protocol as people call them."""


def _use(text: str, default: bool = False) -> bpy.props.BoolProperty:
    return BoolProperty(name="Use", description=text, default=default, options=STILL)


def _annotator(*items: tuple[str, str, str]) -> bpy.props.EnumProperty:
    return EnumProperty(
        name="Read From", description="What makes the control picture", items=items, default=items[0][0], options=STILL
    )


class ControlChoice:
    """What the ControlNets of all kinds have in common; a mix-in."""

    scale: FloatProperty(
        name="Strength",
        description="How strictly the result follows this control; 0 ignores it. Can be keyframed",
        default=1.0,
        min=0.0,
        soft_max=2.0,
    )
    start: FloatProperty(
        name="Steps From",
        description="Share of the denoising steps after which the control begins to count; 0 for from the first",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=STILL,
    )
    end: FloatProperty(
        name="To",
        description="Share of the denoising steps after which the control no longer counts; 0.8 frees fine detail",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=STILL,
    )
    model: StringProperty(
        name="ControlNet",
        description="A ControlNet on disk: a .safetensors file, or a folder in the layout of the diffusers library. "
        "Empty for the one that comes with the model",
        default="",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )


class DiffsynthDepth(ControlChoice, bpy.types.PropertyGroup):
    """How far away things are."""

    use: _use("Follow how far away things are", default=True)
    annotator: _annotator(
        EXACT,
        ("MIDAS", "MiDaS", "Estimated from the picture; needs weights in the folder below"),
        ("ZOE", "ZoeDepth", "Estimated from the picture; needs weights in the folder below"),
    )


class DiffsynthNormal(ControlChoice, bpy.types.PropertyGroup):
    """Which way surfaces face."""

    use: _use("Follow which way surfaces face", default=True)
    annotator: _annotator(EXACT, ("NORMALBAE", "Bae", "Estimated from the picture; needs weights in the folder below"))


class DiffsynthSoftEdge(ControlChoice, bpy.types.PropertyGroup):
    """Soft outlines."""

    use: _use("Follow the soft outlines of things")
    annotator: _annotator(
        EXACT,
        ("HED", "HED", "Estimated from the picture; needs weights in the folder below"),
        ("PIDI", "PiDiNet", "Estimated from the picture; needs weights in the folder below"),
    )


class DiffsynthLineArt(ControlChoice, bpy.types.PropertyGroup):
    """Drawn lines."""

    use: _use("Follow outlines and creases as drawn lines")
    annotator: _annotator(
        ("EXACT", "Exact Passes", "Read from the render's passes; estimated from the picture where there are none"),
        ("LINEART_STANDARD", "Standard", "Estimated from the picture, without weights"),
        ("LINEART", "Line Art", "Estimated from the picture; needs weights in the folder below"),
        ("LINEART_ANIME", "Anime", "Estimated from the picture; needs weights in the folder below"),
    )


class DiffsynthCanny(ControlChoice, bpy.types.PropertyGroup):
    """Edges of the picture."""

    use: _use("Follow every edge of the rendered picture, textures and shadows too")


class DiffsynthTile(ControlChoice, bpy.types.PropertyGroup):
    """The rendered picture itself."""

    use: _use("Keep what the rendered picture shows and add detail to it", default=True)


class DiffsynthShuffle(ControlChoice, bpy.types.PropertyGroup):
    """The reference picture, shuffled."""

    use: _use("Take colours and materials over from the reference picture, which must be in use")


class DiffsynthControls(bpy.types.PropertyGroup):
    """All controls, by the names of the job file; reachable as `scene.diffsynth.controls`."""

    depth: PointerProperty(name=LABELS["depth"], description="How far away things are", type=DiffsynthDepth)
    normal: PointerProperty(name=LABELS["normal"], description="Which way surfaces face", type=DiffsynthNormal)
    softedge: PointerProperty(name=LABELS["softedge"], description="Soft outlines of things", type=DiffsynthSoftEdge)
    lineart: PointerProperty(name=LABELS["lineart"], description="Outlines and creases as lines", type=DiffsynthLineArt)
    canny: PointerProperty(name=LABELS["canny"], description="Every edge of the rendered picture", type=DiffsynthCanny)
    tile: PointerProperty(name=LABELS["tile"], description="The rendered picture itself", type=DiffsynthTile)
    shuffle: PointerProperty(name=LABELS["shuffle"], description="The picture, shuffled", type=DiffsynthShuffle)
    kinds: EnumProperty(
        name="Kinds",
        description="What controls there are, for the list of them; nothing is chosen with it",
        items=tuple((kind.upper(), label, label) for kind, label in LABELS.items()),
        options=STILL,
    )


CLASSES = (
    DiffsynthDepth,
    DiffsynthNormal,
    DiffsynthSoftEdge,
    DiffsynthLineArt,
    DiffsynthCanny,
    DiffsynthTile,
    DiffsynthShuffle,
    DiffsynthControls,
)
