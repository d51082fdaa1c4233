"""A night of neon lights."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "RENDER"
chosen.prompt = "neon night, glowing neon outlines, synthwave"
chosen.negative_prompt = ""
