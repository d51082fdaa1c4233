"""What is asked of the Blender with the window, and set in it where no button does: Python code for `Window.ask`."""

PUMP = (
    "next(module for name, module in __import__('sys').modules.items()"
    " if name.startswith('bl_ext.') and name.endswith('.pump'))"
)
WORK = f"{PUMP}.current()"
"""What runs, or the last that ran."""
JOBS = """
answer = [
    {"key": job.key, "name": job.name, "state": job.state, "folder": job.folder, "message": job.message}
    for job in bpy.data.scenes["Scene"].diffsynth.jobs.list
]
"""
FAILURE = """
import sys
found = (module for name, module in sys.modules.items() if name.startswith("bl_ext.") and name.endswith("jobs.failure"))
kept = next(found)
last = kept.last(bpy.data.scenes["Scene"])
answer = "" if last is None else last.message
"""
RENDER_TAB = """
for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "PROPERTIES":
        area.spaces.active.context = "RENDER"
"""
EDGE = """
area = max((a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "PROPERTIES"),
           key=lambda a: a.width * a.height)
answer = (area.x, area.y + area.height // 2, area.width)
"""
WIDEN = """
window = bpy.context.window_manager.windows[0]
with bpy.context.temp_override(window=window, screen=window.screen):
    bpy.ops.screen.area_move("EXEC_DEFAULT", x={x}, y={y}, delta={delta})
"""
ONE_WINDOW = """
for window in bpy.context.window_manager.windows[1:]:
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
"""
STRIPS = """
def strips(scene):
    editor = scene.sequence_editor
    if editor is None:
        return []
    return [(s.name, s.type, s.channel, s.frame_final_start, s.frame_final_end, s.mute)
            for s in (editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)]
answer = {scene.name: strips(scene) for scene in bpy.data.scenes}
"""
SIDEBAR = """
for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "SEQUENCE_EDITOR":
        area.spaces.active.show_region_ui = True
"""
EDIT = """
shot, edit = bpy.data.scenes["Scene"], bpy.data.scenes.new("Edit")
editor = edit.sequence_editor_create()
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
strip = strips.new_scene("Shot", shot, 2, 10)
strip.transform.scale_x = strip.transform.scale_y = 0.8
strip.blend_alpha = 0.9
strip.select = True
editor.active_strip = strip
edit.frame_end, edit.frame_current = 20, 11
window = bpy.context.window_manager.windows[0]
window.scene = edit
if hasattr(window.workspace, "sequencer_scene"):
    window.workspace.sequencer_scene = edit
"""
DUMP = """
def values(owner, path=""):
    found = {}
    for prop in owner.bl_rna.properties:
        name = f"{path}{prop.identifier}"
        value = getattr(owner, prop.identifier)
        if prop.type == "POINTER" and prop.identifier in ("transform", "crop", "color_balance"):
            found.update(values(value, name + "."))
        elif prop.type in ("INT", "FLOAT", "BOOLEAN", "STRING", "ENUM"):
            found[name] = str(value[:] if getattr(prop, "is_array", False) else value)
    return found
editor = bpy.data.scenes["Edit"].sequence_editor
answer = values((editor.strips if hasattr(editor, "strips") else editor.sequences)["Shot"])
answer.pop("name_full", None)
"""
LINKS = """
scene = bpy.data.scenes["Scene"]
tree = scene.compositing_node_group if hasattr(scene, "compositing_node_group") else scene.node_tree
answer = sorted(f"{l.from_node.name}.{l.from_socket.name} > {l.to_node.name}.{l.to_socket.name}" for l in tree.links)
"""
COMPOSITOR = (
    """
scene = bpy.data.scenes["Scene"]
if hasattr(scene, "compositing_node_group"):
    tree = scene.compositing_node_group = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    output = tree.nodes.new("NodeGroupOutput")
else:
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("CompositorNodeComposite")
render, glare = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeGlare")
render.location, glare.location, output.location = (-300, 0), (50, 0), (350, 0)
tree.links.new(render.outputs["Image"], glare.inputs["Image"])
tree.links.new(glare.outputs[0], output.inputs[0])
render.scene = scene
window = bpy.context.window_manager.windows[0]
window.scene = scene
window.workspace = bpy.data.workspaces["Layout"]
"""
    + LINKS
)
SHOW_NODES = """
bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Compositing"]
"""
SHOW_LAYOUT = """
bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Layout"]
"""
