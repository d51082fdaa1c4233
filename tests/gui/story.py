"""A shot's way through the window, as an artist takes it: prompt, button, progress, pause, result, strip, compositor.

Every press is one of the mouse. What came of it is asked of Blender's data; pictures of the editors are for people.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from .editor import LEFT, Editor
from .outcome import Outcome
from .window import Window

PROMPT = "a clay render of toys on grass, hills, blue sky"
FREEZE_SECONDS = 0.1  # beyond what a redraw alone takes: software draws slowly, whoever asks it to
JOB_SECONDS = 900.0  # for eight frames of the demo shot, on two busy cores

_WORK = (
    "next(module for name, module in __import__('sys').modules.items()"
    " if name.startswith('bl_ext.') and name.endswith('.pump')).current()"
)
_RENDER_TAB = """
for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "PROPERTIES":
        area.spaces.active.context = "RENDER"
"""
_REDRAW = """
window = bpy.context.window_manager.windows[0]
for area in window.screen.areas:
    if area.type == "PROPERTIES":
        area.tag_redraw()
"""
_TIME_TICKS = f"""
import time
work = type({_WORK})
plain, beat.ticks = work.tick, [0.0]
def tick(self):
    started_at = time.perf_counter()
    plain(self)
    beat.ticks.append(time.perf_counter() - started_at)
work.tick = tick
"""
_ONE_WINDOW = """
for window in bpy.context.window_manager.windows[1:]:
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
"""
_STRIPS = """
def strips(scene):
    editor = scene.sequence_editor
    if editor is None:
        return []
    return [(s.name, s.type, s.channel, s.frame_final_start, s.frame_final_end, s.mute)
            for s in (editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)]
answer = {scene.name: strips(scene) for scene in bpy.data.scenes}
"""
_SIDEBAR = """
for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "SEQUENCE_EDITOR":
        area.spaces.active.show_region_ui = True
"""
_EDIT = """
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
_DUMP = """
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
_LINKS = """
scene = bpy.data.scenes["Scene"]
tree = scene.compositing_node_group if hasattr(scene, "compositing_node_group") else scene.node_tree
answer = sorted(f"{l.from_node.name}.{l.from_socket.name} > {l.to_node.name}.{l.to_socket.name}" for l in tree.links)
"""
_COMPOSITOR = (
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
    + _LINKS
)
_SHOW_NODES = """
bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Compositing"]
"""
_SHOW_LAYOUT = """
bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Layout"]
"""


class Story:
    """One window on one shot; each method is a step, and needs those before it."""

    def __init__(self, window: Window, shot: Path, pictures: Path) -> None:
        self.window, self.shot, self.pictures = window, shot, pictures
        self.panel = Editor(window, "PROPERTIES")

    def tour(self) -> Iterator[Outcome]:
        """Every step in its order."""
        for step in (
            self.open,
            self.describe,
            self.preview,
            self.press,
            self.watch_render,
            self.cancel,
            self.resume,
            self.pause,
            self.finish,
            self.freeze,
            self.show,
            self.compare,
            self.undo,
            self.replace,
            self.restore,
            self.compositor,
            self.reopen,
        ):
            started_at = time.monotonic()
            try:
                as_wanted, told = step()
            except Exception as error:  # the next steps may work all the same, and the report needs them all
                as_wanted, told = False, f"{type(error).__name__}: {error}"
            yield Outcome(step.__doc__.splitlines()[0].rstrip("."), as_wanted, told, time.monotonic() - started_at)
            self.window.screenshot(self.pictures / f"screen-{step.__name__}.png")

    def open(self) -> tuple[bool, str]:
        """Open the shot and find the panel."""
        self.window.ask(f"bpy.ops.wm.open_mainfile(filepath={str(self.shot)!r})")
        time.sleep(2)
        self.window.ask(_SHOW_LAYOUT)
        time.sleep(1)
        self.window.ask(_RENDER_TAB)
        time.sleep(1)
        left, top, _, height = self.panel.box()
        edge = left - 32  # the tabs lie between the edge and the panels
        self.window.drag((edge, top + height // 2), (edge - 130, top + height // 2))  # as wide as it reads well
        self.panel.to_top()
        self.panel.scroll(80)
        place = self.panel.place("diffsynth.look")
        return True, f"at {place}"

    def _picture(self, name: str) -> None:
        """The panel from its header on."""
        _, y = self.panel.place("diffsynth.look")
        self.panel.picture(self.pictures / f"{name}.png", top=y - 42)

    def describe(self) -> tuple[bool, str]:
        """Type the prompt."""
        self.panel.fill("diffsynth.prompt", PROMPT)
        self._picture("panel")
        prompt = self.window.ask("answer = bpy.context.scene.diffsynth.prompt")
        return prompt == PROMPT, str(prompt)

    def preview(self) -> tuple[bool, str]:
        """Preview one frame."""
        self.panel.press("diffsynth.preview(frames='ONE')", column=LEFT)
        as_wanted, told = self._until_over("done")
        time.sleep(2)
        self.window.screenshot(self.pictures / "preview.png")
        self.window.ask(_ONE_WINDOW)
        return as_wanted, told

    def press(self) -> tuple[bool, str]:
        """Press Stylise."""
        self.window.ask("beat.reset()")
        self.panel.press("diffsynth.stylise(")
        self.window.wait_until(f"{_WORK} and {_WORK}.state == 'running'", seconds=10, every=0.1)
        return True, f"the press itself took {self._longest_gap():.2f} s"

    def watch_render(self) -> tuple[bool, str]:
        """Watch the render, then the first denoising steps."""
        self._picture("progress-render")
        denoises = f"'Denoising' in {_WORK}.progress.text or {_WORK}.state != 'running'"
        self.window.wait_until(denoises, seconds=JOB_SECONDS, every=0.1)
        self._picture("progress")
        return True, str(self.window.ask(f"answer = {_WORK}.progress.text"))

    def cancel(self) -> tuple[bool, str]:
        """Cancel."""
        self.panel.press("diffsynth.cancel(")
        return self._until_over("cancelled")

    def resume(self) -> tuple[bool, str]:
        """Resume."""
        self.panel.press("diffsynth.resume(")
        self.window.wait_until(f"'Denoising' in {_WORK}.progress.text", seconds=120)
        text = str(self.window.ask(f"answer = {_WORK}.progress.text"))
        return "Denoising 0/" not in text, text

    def pause(self) -> tuple[bool, str]:
        """Pause, and go on."""
        self.panel.press("diffsynth.pause(", column=LEFT)
        self.window.wait_until(f"{_WORK}.state == 'paused'", seconds=60)
        self._picture("paused")
        self.panel.press("diffsynth.resume(", column=LEFT)
        self.window.wait_until(f"{_WORK}.state == 'running'", seconds=60)
        return True, ""

    def finish(self) -> tuple[bool, str]:
        """The worker ends."""
        as_wanted, told = self._until_over("done")
        self._picture("done")
        return as_wanted, told

    def freeze(self) -> tuple[bool, str]:
        """Stylise again, hands off, and the interface never freezes."""
        alone = self._redraw_alone()
        self.window.ask("bpy.context.scene.diffsynth.reuse_capture = True")
        self.panel.press("diffsynth.stylise(")
        self.window.wait_until(f"{_WORK}.state == 'running'", seconds=10, every=0.1)
        self.window.ask(_TIME_TICKS)
        self.window.ask("beat.reset()")
        as_wanted, told = self._until_over("done")
        longest, ours = self._longest_gap(), float(self.window.ask("answer = max(beat.ticks)"))
        told += f"; longest freeze {longest * 1000:.0f} ms, a redraw alone {alone * 1000:.0f} ms"
        return as_wanted and longest - alone < FREEZE_SECONDS, f"{told}, our longest step {ours * 1000:.0f} ms"

    def show(self) -> tuple[bool, str]:
        """Show Result."""
        self.panel.press("diffsynth.show_result(")
        time.sleep(3)
        strips = self.window.ask(_STRIPS)
        shown = self.window.ask("answer = bpy.context.window_manager.windows[0].scene.name")
        return any(kind == "IMAGE" for _, kind, *_ in strips.get(shown, ())), f"{shown}: {strips.get(shown)}"

    def compare(self) -> tuple[bool, str]:
        """Compare by a wipe, and take it away."""
        sidebar = self._sidebar()
        before = self.window.ask(_STRIPS)
        sidebar.press("diffsynth.wipe(")
        time.sleep(2)
        self.window.screenshot(self.pictures / "wipe.png")
        during = self.window.ask(_STRIPS)
        sidebar.press("diffsynth.wipe(")
        after = self.window.ask(_STRIPS)
        return before == after != during, ""

    def undo(self) -> tuple[bool, str]:
        """Undo and redo."""
        before = self.window.ask(_STRIPS)
        self.window.move(*self._middle("SEQUENCE_EDITOR"))
        self.window.key("ctrl+z")
        time.sleep(2)
        undone = self.window.ask(_STRIPS)
        self.window.key("ctrl+shift+z")
        time.sleep(2)
        return self.window.ask(_STRIPS) == before != undone, f"{before} -> {undone}"

    def replace(self) -> tuple[bool, str]:
        """Replace a scene strip of the shot."""
        self.window.ask(_EDIT)
        time.sleep(2)
        self._before = self.window.ask(_DUMP)
        self._sidebar().press("diffsynth.replace_strip(")
        time.sleep(2)
        self.window.screenshot(self.pictures / "replaced.png")
        strips = self.window.ask(_STRIPS)["Edit"]
        shown = [kind for _, kind, *_, mute in strips if not mute]
        return shown == ["IMAGE"] and len(strips) == 2, str(strips)

    def restore(self) -> tuple[bool, str]:
        """Restore it."""
        self._sidebar().press("diffsynth.restore_strip(")
        time.sleep(2)
        after = self.window.ask(_DUMP)
        different = [key for key in self._before if self._before[key] != after.get(key)]
        return not different, f"{len(self._before)} values, different: {different or 'none'}"

    def compositor(self) -> tuple[bool, str]:
        """Use the result in the compositor, and restore the render."""
        before = self.window.ask(_COMPOSITOR)
        time.sleep(2)
        self.panel.open_panel("diffsynth.show_result(", "diffsynth.result.placement")
        self.panel.press("diffsynth.replace_compositor(")
        time.sleep(2)
        self._picture("result-panel")
        links = self.window.ask(_LINKS)
        self.window.ask(_SHOW_NODES)
        time.sleep(3)
        self.window.screenshot(self.pictures / "compositor.png")
        self.window.ask(_SHOW_LAYOUT)
        time.sleep(2)
        self.panel.press("diffsynth.restore_compositor(")
        time.sleep(1)
        after = self.window.ask(_LINKS)
        return before == after != links, f"{before} -> {links} -> {after}"

    def reopen(self) -> tuple[bool, str]:
        """Save and open again."""
        before = self.window.ask(_STRIPS)
        path = self.shot.with_name("saved.blend")
        self.window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(path)!r})")
        self.window.ask(f"bpy.ops.wm.open_mainfile(filepath={str(path)!r})")
        time.sleep(2)
        prompt = self.window.ask("answer = bpy.data.scenes['Scene'].diffsynth.prompt")
        jobs = self.window.ask("answer = [(j.name, j.state) for j in bpy.data.scenes['Scene'].diffsynth.jobs.list]")
        return self.window.ask(_STRIPS) == before and prompt == PROMPT, f"jobs {jobs}"

    def _sidebar(self) -> Editor:
        """The tab DiffSynth beside the strips."""
        self.window.ask(_SIDEBAR)
        time.sleep(1)
        sidebar = Editor(self.window, "SEQUENCE_EDITOR", "UI")
        sidebar.show_tab("DiffSynth")
        return sidebar

    def _middle(self, kind: str) -> tuple[int, int]:
        left, top, width, height = self.window.area(kind)
        return left + width // 2, top + height // 2

    def _until_over(self, wanted: str) -> tuple[bool, str]:
        """Wait until the work has ended; whether it ended as wanted, and what it said."""
        self.window.wait_until(f"{_WORK}.state != 'running'", seconds=JOB_SECONDS)
        state, message = self.window.ask(f"answer = ({_WORK}.state, {_WORK}.message)")
        return state == wanted, f"{state}: {message}"

    def _redraw_alone(self) -> float:
        """The longest that drawing anew what progress is shown in holds Blender up [s], twenty times."""
        self.window.ask("beat.reset()")
        for _ in range(20):
            self.window.ask(_REDRAW)
            time.sleep(0.15)
        return self._longest_gap()

    def _longest_gap(self) -> float:
        return float(self.window.ask("answer = max(beat.gaps)"))
