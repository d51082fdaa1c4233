"""A toy world under a tilted lens."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "RENDER"
chosen.prompt = "a tilt-shift photo of a tiny diorama, miniature toy model, shallow depth of field"
chosen.negative_prompt = ""
