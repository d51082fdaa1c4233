"""Drawn in pencil on paper."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "TEXT"
chosen.prompt = "a pencil drawing, graphite, hatching on paper"
chosen.negative_prompt = "photo"
