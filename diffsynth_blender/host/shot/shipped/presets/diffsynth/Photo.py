"""As photographed."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "RENDER"
chosen.prompt = "a realistic photo, soft light, sharp focus"
chosen.negative_prompt = "drawing, painting"
