"""What differs between Blender 4.2 and 5.2, in one place.

Knows names and numbers of Blender's versions; decides nothing. Every number was measured with the
bpy wheels of 4.2, 4.5, 5.0 and 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

CYCLES = "CYCLES"
EEVEE_ENGINES = ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")
"""EEVEE's identifier up to 4.5, and from 5.0 on."""

CYCLES_FOLLOWS_ZOOM = bpy.app.version >= (4, 5, 0)
"""Whether its motion pass sees a change of focal length. 4.2 does not, 4.5 does; the two between were not tried."""

CYCLES_BACKGROUND_DEPTH = 1e10
"""What Cycles writes as depth where it hits nothing; EEVEE does too from 5.2 on."""

RELATIVE_PATH: set[str] = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a path property that may begin with //; before 4.5 all may."""


def use_png(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Make stills 8-bit PNG files (the colour mode stays to be chosen)."""
    if hasattr(image_settings, "media_type"):  # 5.0 on; it decides which formats can be chosen
        image_settings.media_type = "IMAGE"
    image_settings.file_format = "PNG"
    image_settings.color_depth = "8"


def use_multilayer_exr(image_settings: bpy.types.ImageFormatSettings, *, codec: str) -> None:
    """Make stills multilayer EXR files of one part with 32 bits a channel."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "MULTI_LAYER_IMAGE"
    image_settings.file_format = "OPEN_EXR_MULTILAYER"
    image_settings.color_depth = "32"  # 16 would round positions and ids
    image_settings.exr_codec = codec
    if hasattr(image_settings, "use_exr_interleave"):
        image_settings.use_exr_interleave = True  # 5.0 on writes a part per pass otherwise


def render_path(path: Path) -> str:
    """`path` as `render.filepath` has to spell it for the file to get exactly that name."""
    text = str(Path(path).absolute())
    if bpy.app.version >= (4, 5, 0):  # from 4.5 on braces stand for variables
        text = text.replace("{", "{{").replace("}", "}}")
    return text


def background_depth(engine: str, clip_end: float) -> float:
    """Planar depth [scene units] from which on a pixel shows no surface.

    Args:
        engine: Blender's identifier of the render engine.
        clip_end: The nearest far clipping distance among the shot's cameras [scene units].
    """
    if engine in EEVEE_ENGINES and bpy.app.version < (5, 2, 0):
        return 0.99 * clip_end
    return 0.1 * CYCLES_BACKGROUND_DEPTH


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene | None:
    """The scene whose strips a sequencer shows: from 5.0 on the workspace's choice, if it has made one."""
    workspace = context.workspace
    if hasattr(workspace, "sequencer_scene"):
        return workspace.sequencer_scene
    return context.scene


def new_effect(
    strips: bpy.types.StripsTopLevel,
    name: str,
    kind: str,
    channel: int,
    frame_start: int,
    frame_end: int,
    inputs: Sequence[bpy.types.Strip] = (),
) -> bpy.types.EffectStrip:
    """An effect strip from `frame_start` until before `frame_end`; with inputs it is as long as they are."""
    arguments = strips.bl_rna.functions["new_effect"].parameters
    # Up to 4.3 inputs were called sequences; from 5.0 on a length is given in place of the end.
    names = ("input1", "input2") if "input1" in arguments else ("seq1", "seq2")
    end = {"length": frame_end - frame_start} if "length" in arguments else {"frame_end": frame_end}
    return strips.new_effect(
        name=name, type=kind, channel=channel, frame_start=frame_start, **end, **dict(zip(names, inputs, strict=False))
    )


def new_strip_modifier(strip: bpy.types.Strip, name: str, kind: str) -> bpy.types.StripModifier:
    """A modifier on a strip. Blender 5.0 crashes here where the workspace has not chosen a scene for its sequencers."""
    workspace = bpy.context.workspace
    if not hasattr(workspace, "sequencer_scene") or workspace.sequencer_scene is not None:
        return strip.modifiers.new(name, kind)
    workspace.sequencer_scene = strip.id_data
    try:
        return strip.modifiers.new(name, kind)
    finally:
        workspace.sequencer_scene = None


def animation_curves(block: bpy.types.ID) -> bpy.types.bpy_prop_collection | None:
    """The F-curves that animate a data-block, to be read, added to and removed from; None where there are none."""
    animation = block.animation_data
    action = animation.action if animation else None
    if action is None:
        return None
    if not hasattr(action, "slots"):  # up to 4.3 an action animates one data-block
        return action.fcurves
    bags = (strip.channelbag(animation.action_slot) for layer in action.layers for strip in layer.strips)
    bag = next(filter(None, bags), None) if animation.action_slot else None
    return bag.fcurves if bag else None


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The nodes that compose a scene's render: its own up to 4.5, a node group that scenes may share from 5.0 on."""
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


STRIP_TAB = bpy.app.version >= (5, 0, 0)
"""Whether the Properties editor has a tab for the active strip."""


def new_compositor(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """Give a scene a compositor with nothing but the node that its picture comes out of.

    Returns the node group that belongs to whoever called, from 5.0 on; None where the compositor is the scene's own.
    """
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new(".diffsynth", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        tree.nodes.new("NodeGroupOutput")
        scene.compositing_node_group = tree
        return tree
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    scene.node_tree.nodes.new("CompositorNodeComposite")
    return None


def background_depth_of_files(engine: str, clip_end: float) -> float:
    """As `background_depth`, for passes that any version may have rendered."""
    return 0.99 * clip_end if engine in EEVEE_ENGINES else 0.1 * CYCLES_BACKGROUND_DEPTH


def writes_multilayer_exr(image_settings: bpy.types.ImageFormatSettings) -> bool:
    """Whether stills are multilayer EXR files; their passes have 32 bits whatever the colour depth says."""
    return image_settings.file_format == "OPEN_EXR_MULTILAYER"


def use_movie(image_settings: bpy.types.ImageFormatSettings) -> None:
    """Make animations movie files (container and codecs stay to be chosen)."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "VIDEO"
    image_settings.file_format = "FFMPEG"


def choose_sequencer_scene(workspace: bpy.types.WorkSpace, scene: bpy.types.Scene) -> None:
    """Have the sequencers of a workspace show a scene; up to 4.5 they show that of their window."""
    if hasattr(workspace, "sequencer_scene"):
        workspace.sequencer_scene = scene


def strips_name(owner: bpy.types.SequenceEditor | bpy.types.MetaStrip) -> str:
    """What an owner of strips calls them: sequences up to 4.3."""
    return "strips" if hasattr(owner, "strips") else "sequences"


def strips_in(owner: bpy.types.SequenceEditor | bpy.types.MetaStrip) -> bpy.types.StripsTopLevel:
    """The strips that lie directly in a sequencer or in a meta strip."""
    return getattr(owner, strips_name(owner))


def all_strips(editor: bpy.types.SequenceEditor) -> list[bpy.types.Strip]:
    """All strips of a sequencer, those inside meta strips too."""
    return list(getattr(editor, f"{strips_name(editor)}_all"))
