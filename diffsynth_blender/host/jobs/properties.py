"""The jobs of a scene as the file remembers them, and what the artist chooses for all of them."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from ..shot.control_properties import STILL

STATES = (
    ("WAITING", "Waiting", "In the queue", "TIME", 0),
    ("RUNNING", "Running", "Under way", "PLAY", 1),
    ("PAUSED", "Paused", "Stopped after a step; Resume goes on with the next one", "PAUSE", 2),
    ("DETACHED", "Goes On", "It goes on without this Blender", "LINKED", 3),
    ("DONE", "Done", "All frames are there", "CHECKMARK", 4),
    ("CANCELLED", "Stopped", "Stopped before its end; Resume goes on where it stopped", "CANCEL", 5),
    ("FAILED", "Failed", "Ended by an error; Resume tries again where it stopped", "ERROR", 6),
)


class DiffsynthJob(bpy.types.PropertyGroup):
    """One job of the history; the fields are those of `JobRecord`, under the same names."""

    key: StringProperty(name="Key", description="Tells this job from every other one", options=STILL)
    name: StringProperty(name="Name", description="What the list calls this job", options=STILL)
    folder: StringProperty(
        name="Folder", description="Job folder: frames, passes, results", subtype="DIR_PATH", options=STILL
    )
    settings: StringProperty(name="Settings", description="How this job is stylised, as in its job.json", options=STILL)
    first: IntProperty(name="First Frame", description="First scene frame of this job", options=STILL)
    last: IntProperty(name="Last Frame", description="Last scene frame of this job", options=STILL)
    step: IntProperty(
        name="Step", description="Every how many-th frame this job stylises", default=1, min=1, options=STILL
    )
    kind: EnumProperty(
        name="Kind",
        description="What this job does",
        items=(
            ("SHOT", "Shot", "Renders and stylises a shot"),
            ("REDO", "Redo", "Stylises a range of a finished shot again, against its neighbours"),
        ),
        options=STILL,
    )
    state: EnumProperty(name="State", description="How far this job is", items=STATES, options=STILL)
    message: StringProperty(name="Message", description="How this job ended", options=STILL)
    error_kind: StringProperty(name="Error", description="What kind of error ended this job", options=STILL)
    source: StringProperty(name="Source", description="Where the frames of this job come from", options=STILL)
    created: StringProperty(name="Asked For", description="When this job was asked for", options=STILL)
    turn: StringProperty(name="Turn", description="Waiting jobs are done in the order of this text", options=STILL)
    seconds: FloatProperty(
        name="Time",
        description="How long this job has run",
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        options=STILL,
    )


class DiffsynthJobs(bpy.types.PropertyGroup):
    """Jobs of the scene, saved with the file; reachable as `scene.diffsynth.jobs`."""

    list: CollectionProperty(type=DiffsynthJob, name="Jobs", description="Jobs of this scene, the newest first")
    active: IntProperty(
        name="Active Job", description="The job that the buttons below the list are for", min=0, options=STILL
    )
    on_close: EnumProperty(
        name="On Closing",
        description="What becomes of a running job when the file or Blender is closed",
        items=(
            ("END", "End It", "The worker ends; what is finished stays, and Resume goes on where it stopped"),
            (
                "DETACH",
                "Let It Go On",
                "The job goes on without this Blender, and ends by itself: a shot that is still being rendered is "
                "rendered and then stylised. Opening the file again follows it, or tells how it ended",
            ),
        ),
        default="END",
        options=STILL,
    )
    free_memory: BoolProperty(
        name="Free Graphics Memory",
        description=(
            "While the worker computes, show viewports in Rendered shading as Solid, and let go of textures and "
            "persistent render data, so that the model has the graphics card to itself"
        ),
        default=True,
        options=STILL,
    )
    redo_first: IntProperty(
        name="Redo First", description="First scene frame to stylise again", default=1, options=STILL
    )
    redo_last: IntProperty(name="Last", description="Last scene frame to stylise again", default=1, options=STILL)


CLASSES = (DiffsynthJob, DiffsynthJobs)
