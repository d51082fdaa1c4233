"""Impressionist oil paint."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "TEXT"
chosen.prompt = "an impressionist oil painting, impasto, thick brush strokes"
chosen.negative_prompt = "photo"
