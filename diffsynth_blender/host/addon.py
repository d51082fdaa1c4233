"""Everything Blender is told about: one tuple of classes, and what is attached beside them. Start reading here."""

import atexit

import bpy

from . import preferences
from .command import command, render_hook
from .deflicker import operators as deflicker_operators
from .deflicker import properties as deflicker_properties
from .jobs import attach as job_attach
from .jobs import history_operators as job_operators
from .jobs import icon as job_icon
from .jobs import operators, preview_operator, pump, queue_operators
from .jobs import panel as panel_jobs
from .jobs import properties as job_properties
from .jobs import queue as job_queue
from .jobs import remedy_operators as job_remedies
from .result import compositor_operators, sequencer_panel
from .result import operators as result_operators
from .result import panel as panel_result
from .result import properties as result_properties
from .setup import check as setup_check
from .setup import models_operators, models_properties, models_run, models_scan
from .setup import operators as setup_operators
from .setup import properties as setup_properties
from .setup import run as setup_run
from .shot import (
    list_operators,
    panel_advanced,
    panel_controls,
    panel_frames,
    panel_model,
    panel_steady,
    panels,
    presets,
    properties,
)
from .source import operators as source_operators
from .source import panel as panel_source
from .source import properties as source_properties

CLASSES = (
    *source_properties.CLASSES,
    *result_properties.CLASSES,
    *job_properties.CLASSES,
    *properties.CLASSES,
    *deflicker_properties.CLASSES,
    *setup_properties.CLASSES,
    *setup_operators.CLASSES,
    *setup_check.CLASSES,
    *models_properties.CLASSES,
    *preferences.CLASSES,
    *models_operators.CLASSES,
    *models_scan.CLASSES,
    *operators.CLASSES,
    *preview_operator.CLASSES,
    *queue_operators.CLASSES,
    *job_operators.CLASSES,
    *job_remedies.CLASSES,
    *source_operators.CLASSES,
    *list_operators.CLASSES,
    *presets.CLASSES,
    *deflicker_operators.CLASSES,
    *result_operators.CLASSES,
    *compositor_operators.CLASSES,
    *panels.CLASSES,
    *panel_source.CLASSES,
    *panel_model.CLASSES,
    *panel_controls.CLASSES,
    *panel_steady.CLASSES,
    *panel_frames.CLASSES,
    *panel_advanced.CLASSES,
    *panel_result.CLASSES,
    *panel_jobs.CLASSES,
    *sequencer_panel.CLASSES,
)


def register() -> None:
    """Called by Blender when the extension is enabled; a script that imports the package plainly may call it too."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    deflicker_properties.register()
    presets.register()
    job_icon.register()
    pump.register()
    job_queue.register()
    job_attach.register()
    command.register()
    render_hook.register()
    if not __package__.startswith("bl_ext.") and not bpy.app.binary_path:
        # Blender disables its add-ons before it ends, but does not know of a plain import; and the wheels of 4.2 and
        # 4.5 crash or hang at exit while anything is registered. In Blender itself, whose windows are gone by the time
        # Python ends, it would be this that crashes.
        atexit.register(unregister)


def unregister() -> None:
    """Undo `register`, the last thing first; ends a running job."""
    atexit.unregister(unregister)
    render_hook.unregister()
    models_run.unregister()
    setup_run.unregister()
    command.unregister()
    job_attach.unregister()
    job_queue.unregister()
    pump.unregister()
    job_icon.unregister()
    presets.unregister()
    deflicker_properties.unregister()
    properties.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
