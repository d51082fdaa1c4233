"""Everything cast in polished gold."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "RENDER"
chosen.prompt = "polished gold, golden metal, studio lighting"
chosen.negative_prompt = ""
