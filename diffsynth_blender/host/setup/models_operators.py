"""The buttons for models: fetch what is missing, import a file. They return at once; `run.py` goes on."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from ...environment.errors import SetupError
from ...environment.install import Step
from ...protocol import DiffSynthError
from ...protocol.known_model import FAMILY_LABELS
from ...protocol.known_models import KNOWN_MODELS
from ...protocol.looks import LOOKS
from ..shot.control_properties import LABELS
from .models_needs import Needs, model_path, needs_of, needs_of_look
from .models_properties import models_folder, preferred_family
from .models_run import model_worker, start
from .models_use import use_fetched, use_found
from .models_worker import ModelWorker
from .operators import SetupOperator

OFFLINE = (
    "Blender is set to stay offline; switch on Preferences > System > Network > Allow Online Access, or import the "
    "files by their paths"
)


class DIFFSYNTH_OT_model_download(SetupOperator, bpy.types.Operator):
    """Plan and consent, then the download."""

    bl_idname = "diffsynth.model_download"
    bl_label = "Download Models"
    bl_description = "Fetch models from the hub into the folder of models. Says first what, where and how much"

    names: StringProperty(
        name="Names",
        description="Which known models, separated by commas; empty for what the shot lacks",
        options={"SKIP_SAVE"},
    )
    for_look: BoolProperty(
        name="For the Look",
        description="Whether a model of the preferred family is fetched with all that the shot's look needs",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        needs = self._needs(context.scene)
        self._lines = _plan_lines(*_wanted(self.names, needs, needs.family or preferred_family()))
        return context.window_manager.invoke_props_dialog(self, width=520)

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for line in self._lines:
            column.label(text=line)
        column.label(text=f"Into {models_folder()}. Press OK to start.", icon="INFO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        needs = self._needs(scene)
        try:
            worker = model_worker()
        except DiffSynthError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.online_access:
            self.report({"ERROR"}, OFFLINE)
            return {"CANCELLED"}
        # The operator is gone when the thread reads what was asked for.
        model, asked, fetched = model_path(scene.diffsynth), self.names, []

        def task(report, is_cancelled):
            family = needs.family or _family_of(worker, model, is_cancelled)
            names, lacking = _wanted(asked, needs, family)
            if lacking and not names:
                raise SetupError(_unknown(lacking, family))
            if not names:
                return "Nothing is missing"
            report(Step("Asking the hub", 0.0))
            fetched.extend(worker.download(names, report, is_cancelled))
            sizes = sum(Path(event["path"]).stat().st_size for event in fetched) / 1e9
            count = "1 model is" if len(names) == 1 else f"{len(names)} models are"
            text = f"{count} there, {sizes:.1f} GB"
            weak = [event["path"] for event in fetched if event["verified"] == "size"]
            text += f"; {weak[0]} could be verified by its size alone" if weak else ""
            return f"{text}. {_unknown(lacking, family)}" if lacking else text

        name = scene.name
        start(task, lambda: use_fetched(bpy.data.scenes[name], fetched) if name in bpy.data.scenes else "")
        return {"FINISHED"}

    def _needs(self, scene: bpy.types.Scene) -> Needs:
        chosen = scene.diffsynth
        if self.for_look:
            look = LOOKS[chosen.look.lower()].settings
            return needs_of_look(chosen, tuple(control.kind for control in look.controls), preferred_family())
        return needs_of(chosen)


class DIFFSYNTH_OT_model_import(SetupOperator, bpy.types.Operator):
    """A file of the artist's own."""

    bl_idname = "diffsynth.model_import"
    bl_label = "Import Model"
    bl_description = (
        "Look at a .safetensors file, take it into the folder of models under its family, and use it in this shot. "
        "A file can also be dropped on the properties editor"
    )

    filepath: StringProperty(
        name="File", description="The .safetensors file", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_glob: StringProperty(
        name="Filter", description="Which files are shown", default="*.safetensors", options={"HIDDEN"}
    )
    sha256: StringProperty(
        name="Hash",
        description="SHA-256 that the file must have, as its page tells it; empty where it does not matter",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            worker = model_worker()
        except DiffSynthError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        file, sha256, name, found = Path(bpy.path.abspath(self.filepath)), self.sha256, context.scene.name, []

        def task(report, is_cancelled):
            found.append(worker.bring(file, sha256, report, is_cancelled))
            (one,) = found
            known = f" It is {one['label']}." if one["label"] else ""
            return f"{one['path']}: SHA-256 {one['sha256']}.{known} {one['remark']}".strip()

        start(task, lambda: use_found(bpy.data.scenes[name], found[0]) if found and name in bpy.data.scenes else "")
        return {"FINISHED"}


class DIFFSYNTH_FH_model(bpy.types.FileHandler):
    """Files that are dropped on the properties editor."""

    bl_idname = "DIFFSYNTH_FH_model"
    bl_label = "DiffSynth Model"
    bl_import_operator = DIFFSYNTH_OT_model_import.bl_idname
    bl_file_extensions = ".safetensors"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "PROPERTIES"


def _wanted(asked: str, needs: Needs, family: str) -> tuple[list[str], list[str]]:
    """Names of known models, and kinds of control for which there is none."""
    names = [name.strip() for name in asked.split(",") if name.strip()]
    return (names, []) if names else needs.names(family)


def _family_of(worker: ModelWorker, model: Path | None, is_cancelled) -> str:
    """As the model's own file tells. Raises SetupError where it cannot be used."""
    events = worker.scan(model, is_cancelled) if model is not None else []
    if not events or not events[0]["kind"]:
        raise SetupError(events[0]["remark"] if events else f"{model}: holds no model; choose another")
    return events[0]["family"]


def _unknown(controls: list[str], family: str) -> str:
    kinds = ", ".join(LABELS[kind] for kind in controls)
    return f"No ControlNet for {kinds} is known for {FAMILY_LABELS.get(family, family)}; give one by its path"


def _plan_lines(names: list[str], lacking: list[str]) -> list[str]:
    models = [KNOWN_MODELS[name] for name in names if name in KNOWN_MODELS]
    lines = []
    for model in models:
        size = f"{model.size / 1e9:.1f} GB" if model.size else f"about {model.memory_gb:.1f} GB"
        lines.append(f"{model.label}: {size}, licence {model.licence}")
    if models:
        lines.append(f"On the graphics card these take about {sum(model.memory_gb for model in models):.1f} GB")
    lines += [f"No ControlNet for {LABELS[kind]} is known for this family" for kind in lacking]
    return lines or ["Nothing is missing"]


CLASSES = (DIFFSYNTH_OT_model_download, DIFFSYNTH_OT_model_import, DIFFSYNTH_FH_model)
