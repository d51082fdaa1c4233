"""The pictures of the manual: panels and editors as they are now, cropped to what a page speaks of.

How buttons are found and pressed is tried elsewhere; here their commands are run. Whoever takes a picture over into
docs/ looks at it first.
"""

from __future__ import annotations

import time

from . import questions
from .editor import Editor
from .steps import JOB_SECONDS, Step, Steps

SIZE = (1180, 1000)  # [px]: a panel with its sub-panels is in one picture, and text is legible at this size
FRAMES = 6
STEPS = 80  # of denoising: a job lasts until its picture is taken
PROMPT = "a watercolour painting of toys on grass, hills, blue sky"

_IN_AREA = """
window = bpy.context.window_manager.windows[0]
area = max((a for a in window.screen.areas if a.type == {kind!r}), key=lambda a: a.width * a.height)
region = next(r for r in area.regions if r.type == "WINDOW")
with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
    {code}
"""
_SPLIT = """
window = bpy.context.window_manager.windows[0]
areas = [a for a in window.screen.areas if a.type == {kind!r} and a.height > 250]
for area in areas:
    with bpy.context.temp_override(window=window, screen=window.screen, area=area):
        bpy.ops.screen.area_split(direction={direction!r}, factor={factor})
"""
_ONE_EDITOR = """
views = [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D"]
max(views, key=lambda a: a.height).type = "IMAGE_EDITOR"
"""
_FOUR_PICTURES = """
editors = [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "IMAGE_EDITOR"]
editors.sort(key=lambda a: (-a.y, a.x))
for area, name in zip(editors, ("Result", "Control Depth", "Control Normal", "Motion"), strict=True):
    area.show_menus = False
    area.spaces.active.show_gizmo = False
    area.spaces.active.image = bpy.data.images["Preview " + name]
"""
_FIT = """
window = bpy.context.window_manager.windows[0]
for area in window.screen.areas:
    if area.type == "IMAGE_EDITOR":
        region = next(r for r in area.regions if r.type == "WINDOW")
        with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
            bpy.ops.image.view_all(fit_view=True)
"""
_STRIPS_ONLY = """
window = bpy.context.window_manager.windows[0]
for kind in ("FILE_BROWSER", "PROPERTIES"):
    for area in [a for a in window.screen.areas if a.type == kind]:
        with bpy.context.temp_override(window=window, screen=window.screen, area=area):
            bpy.ops.screen.area_close()
"""
_BOX = """
window = bpy.context.window_manager.windows[0]
boxes = [(a.x, window.height - a.y - a.height, a.x + a.width, window.height - a.y)
         for a in window.screen.areas if a.type == {kind!r}]
left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
answer = left, top, max(b[2] for b in boxes) - left, max(b[3] for b in boxes) - top
"""
_NODES_ONLY = """
for area in bpy.context.window_manager.windows[0].screen.areas:
    if area.type == "NODE_EDITOR":
        space = area.spaces.active
        for shown in ("show_region_ui", "show_region_toolbar", "show_region_asset_shelf"):
            if hasattr(space, shown):
                setattr(space, shown, False)
"""


class Manual(Steps):
    """Needs the demo shot in its own size."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """In their order."""
        return (
            self.panel_alone,
            self.preview,
            self.progress,
            self.result,
            self.wipe,
            self.replace,
            self.nodes,
            self.jobs_list,
        )

    def panel_alone(self) -> tuple[bool, str]:
        """The panel as it is found."""
        self.open_file(self.shot)
        self.window.ask(f"bpy.data.scenes['Scene'].diffsynth.prompt = {PROMPT!r}")
        time.sleep(1)
        self._show_header()
        self.picture("panel")
        return True, ""

    def preview(self) -> tuple[bool, str]:
        """What a preview shows."""
        self._run("PROPERTIES", "bpy.ops.diffsynth.preview('INVOKE_DEFAULT', frames='ONE')")
        as_wanted, told = self.until_over("done")
        time.sleep(1)
        self.window.ask(questions.ONE_WINDOW)
        time.sleep(1)
        for question in (
            _SPLIT.format(kind="VIEW_3D", direction="HORIZONTAL", factor=0.32),
            _ONE_EDITOR,
            _SPLIT.format(kind="IMAGE_EDITOR", direction="HORIZONTAL", factor=0.5),
            _SPLIT.format(kind="IMAGE_EDITOR", direction="VERTICAL", factor=0.5),
            _FOUR_PICTURES,
        ):
            self.window.ask(question)
            time.sleep(1)  # only what was drawn has its new place
        self.window.ask(_FIT)
        self._shoot("preview", self.window.ask(_BOX.format(kind="IMAGE_EDITOR")))
        return as_wanted, told

    def progress(self) -> tuple[bool, str]:
        """A job with the latest frame."""
        self.open_file(self.shot)
        self.window.ask(f"bpy.data.scenes['Scene'].diffsynth.prompt = {PROMPT!r}")
        self.window.ask(f"bpy.data.scenes['Scene'].diffsynth.steps = {STEPS}")
        self._show_header()
        self._run("PROPERTIES", "bpy.ops.diffsynth.stylise('INVOKE_DEFAULT')")
        shown = f"getattr({questions.WORK}, 'latest_picture', None) or {questions.WORK}.state != 'running'"
        self.window.wait_until(shown, seconds=JOB_SECONDS, every=0.2)
        time.sleep(3)
        self.panel.picture(self.pictures / "progress.png")
        told = str(self.window.ask(f"answer = {questions.WORK}.progress.text"))
        as_wanted, _ = self.until_over("done")
        self.window.ask("bpy.data.scenes['Scene'].diffsynth.property_unset('steps')")
        return as_wanted and told.startswith("Denoising"), told

    def jobs_list(self) -> tuple[bool, str]:
        """Queue and history: one job waits, one runs, two are done."""
        self.show_panel()
        self.window.ask("bpy.data.scenes['Scene'].diffsynth.reuse_capture = True")
        for prompt in ("a rusty iron sculpture", "a pencil drawing", "gold"):
            self.window.ask(f"bpy.data.scenes['Scene'].diffsynth.prompt = {prompt!r}")
            self._run("PROPERTIES", "bpy.ops.diffsynth.queue_add('INVOKE_DEFAULT')")
        self.panel.open_panel("diffsynth.use_deflicker", 4, "diffsynth.jobs.on_close")
        self._run("PROPERTIES", "bpy.ops.diffsynth.queue_start('INVOKE_DEFAULT')")
        of_list = "bpy.data.scenes['Scene'].diffsynth.jobs.list"
        self.window.wait_until(f"sum(j.state == 'WAITING' for j in {of_list}) == 1", seconds=JOB_SECONDS, every=0.2)
        self.until_denoising()
        time.sleep(3)
        self.panel.scroll(80)
        self.panel.picture(self.pictures / "jobs.png")
        waits = f"any(j.state in ('WAITING', 'RUNNING') for j in {of_list})"
        self.window.wait_until(f"not {waits}", seconds=3 * JOB_SECONDS)
        return True, str([(job["name"], job["state"]) for job in self.jobs()])

    def result(self) -> tuple[bool, str]:
        """The strip in the sequencer."""
        self._run("PROPERTIES", "bpy.ops.diffsynth.show_result('INVOKE_DEFAULT')")
        time.sleep(2)
        self.window.ask(_STRIPS_ONLY)
        time.sleep(1)
        self._strips("result")
        return True, ""

    def wipe(self) -> tuple[bool, str]:
        """Source and result on either side of a line."""
        self._sidebar()
        self._run("SEQUENCE_EDITOR", "bpy.ops.diffsynth.wipe('INVOKE_DEFAULT')")
        time.sleep(2)
        self._strips("wipe")
        self._run("SEQUENCE_EDITOR", "bpy.ops.diffsynth.wipe('INVOKE_DEFAULT')")
        return True, ""

    def replace(self) -> tuple[bool, str]:
        """The result in place of a scene strip."""
        self.window.ask(questions.EDIT)
        time.sleep(1)
        self._sidebar()
        self._run("SEQUENCE_EDITOR", "bpy.ops.diffsynth.replace_strip('INVOKE_DEFAULT')")
        time.sleep(2)
        self._strips("replace")
        return True, str(self.window.ask(questions.STRIPS)["Edit"])

    def nodes(self) -> tuple[bool, str]:
        """The sequence in place of the render in the compositor."""
        self.window.ask(questions.COMPOSITOR)
        time.sleep(1)
        self._run("PROPERTIES", "bpy.ops.diffsynth.replace_compositor('INVOKE_DEFAULT')")
        self.window.ask(questions.SHOW_NODES)
        time.sleep(2)
        self.window.ask(_NODES_ONLY)
        time.sleep(1)
        self._run("NODE_EDITOR", "bpy.ops.node.view_all()")
        self._shoot("compositor", self.window.area("NODE_EDITOR"))
        return True, str(self.window.ask(questions.LINKS))

    def _run(self, kind: str, code: str) -> None:
        """Run an operator as if it were pressed in the largest editor of a kind."""
        self.window.ask(_IN_AREA.format(kind=kind, code=code))

    def _show_header(self) -> None:
        """Scroll until the panel's header is the first thing in the editor."""
        _, y = self.panel.place("diffsynth.look")
        _, top, *_ = self.panel.box()
        self._run("PROPERTIES", f"bpy.ops.view2d.scroll_down(deltay={top + 46 - y})")
        time.sleep(0.5)

    def _strips(self, name: str) -> None:
        """Preview and time line, with the strips as large as they can be."""
        self._run("SEQUENCE_EDITOR", "bpy.ops.sequencer.view_all()")
        self._shoot(name, self.window.ask(_BOX.format(kind="SEQUENCE_EDITOR")))

    def _sidebar(self) -> None:
        self.window.ask(questions.SIDEBAR)
        time.sleep(1)
        Editor(self.window, "SEQUENCE_EDITOR", "UI").show_tab("DiffSynth")

    def _shoot(self, name: str, box: tuple[int, int, int, int]) -> None:
        left, top, width, height = box
        for step in (7, 12):  # where nothing has a tooltip; one that is there goes when the pointer has gone on
            self.window.move(left + width // 2, top + height * 3 // 4 + step)
            time.sleep(1)
        self.window.screenshot(self.pictures / f"{name}.png", (left, top, width, height))
