"""What choosing a look or another kind of model does in the panel: the values that suit it."""

from dataclasses import fields, is_dataclass, replace

import bpy

from ...protocol import BadJobError
from ...protocol.looks import LOOKS, LookSettings
from .choices import read_look
from .fill import fill_look_value


def fill_in(chosen: bpy.types.PropertyGroup) -> None:
    """Set the panel's values to those of the chosen look and model, and open what the look needs."""
    look = LOOKS[chosen.look.lower()]
    chosen.filled_for_demo = chosen.model == "DEMO"
    column = look.demo if chosen.filled_for_demo else look.settings
    for field in fields(LookSettings):
        fill_look_value(chosen, field.name, getattr(column, field.name))
    chosen.use_reference = "reference" in look.needs
    chosen.use_regions = "regions" in look.needs
    if chosen.use_regions and not chosen.regions:
        chosen.regions.add()


def change_model(chosen: bpy.types.PropertyGroup) -> None:
    """Set what suited the other kind of model to what suits this one; values that the artist chose stay."""
    is_demo = chosen.model == "DEMO"
    if is_demo == chosen.filled_for_demo:
        return
    look = LOOKS[chosen.look.lower()]
    before, after = (look.settings, look.demo) if is_demo else (look.demo, look.settings)
    try:
        current = read_look(chosen)
    except BadJobError:
        return  # half-made choices are the artist's own; the button says what is wrong with them
    for field in fields(LookSettings):
        value = getattr(current, field.name)
        changed = _followed(value, getattr(before, field.name), getattr(after, field.name))
        if changed != value:
            fill_look_value(chosen, field.name, changed)
    chosen.filled_for_demo = is_demo


def _followed(value: object, before: object, after: object) -> object:
    """`after` where the value is still `before`; of two groups of the same kind, each value by itself."""
    if value == before:
        return after
    if is_dataclass(value) and type(value) is type(before) is type(after):
        return replace(
            value,
            **{
                field.name: _followed(*(getattr(group, field.name) for group in (value, before, after)))
                for field in fields(value)
            },
        )
    return value
