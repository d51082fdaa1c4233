"""The models this product knows by name, for host and worker: what a family has for what a look asks."""

from collections.abc import Iterable

from .known_model import KnownModel
from .known_table import TABLE

KNOWN_MODELS: dict[str, KnownModel] = {model.name: model for model in TABLE}
"""By name."""


def base_of(family: str) -> KnownModel:
    """The base model of a family. Raises KeyError where none is known."""
    return KNOWN_MODELS[family]


def controlnet_for(family: str, control: str) -> KnownModel | None:
    """The ControlNet of a family for a kind of control; None where none is known."""
    found = (model for model in TABLE if model.kind == "controlnet" and model.family == family)
    return next((model for model in found if control in model.controls), None)


def needed_for(family: str, controls: Iterable[str], *, tiny_vae: bool = False) -> tuple[KnownModel, ...]:
    """The base model of a family, with ControlNets for kinds of control as far as they are known; each once."""
    wanted = [base_of(family), *(controlnet_for(family, control) for control in controls)]
    if tiny_vae:
        wanted.append(KNOWN_MODELS[f"{family}-tiny-vae"])
    return tuple(dict.fromkeys(model for model in wanted if model is not None))
