"""Watercolour on paper."""

import bpy

chosen = bpy.context.scene.diffsynth
chosen.look = "TEXT"
chosen.prompt = "a soft watercolour painting, aquarelle on white paper"
chosen.negative_prompt = "photo"
