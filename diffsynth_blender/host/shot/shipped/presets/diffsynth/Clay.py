"""Everything modelled in clay."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "RENDER"
chosen.prompt = "a clay render, plasticine, soft studio light"
chosen.negative_prompt = ""
