"""Clips with known truth: three shots of our own, each rendered in two looks that share geometry, motion and light.

    guide   what the artist rendered; captured by the product, with its exact passes
    truth   other colours, and surface detail that the guide does not have: what a steady restyling would look like

`render.py` makes them and needs bpy; `load.py` reads them and does not; `flicker.py` spoils the truth as a diffusion
model that knows no neighbours would.
"""
