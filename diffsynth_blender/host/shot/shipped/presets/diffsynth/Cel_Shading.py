"""A drawn film: flat colours and ink lines."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "TEXT"
chosen.prompt = "a toon drawing, cel shading, flat colours, clean ink lines"
chosen.negative_prompt = "photo"
