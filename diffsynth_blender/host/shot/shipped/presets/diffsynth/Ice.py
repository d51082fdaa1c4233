"""Everything carved out of ice."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "RENDER"
chosen.prompt = "an ice sculpture, frost, carved out of blue ice, studio lighting"
chosen.negative_prompt = ""
