"""Which samplers there are: diffusers' schedulers, and what makes them samplers of latent video. A literal table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from .prediction import PredictionType


@dataclass(frozen=True)
class SamplerKind:
    """One of diffusers' schedulers and how it is used."""

    scheduler: Any
    space: Literal["alphas", "preserving", "exploding", "flow"]
    """Where a step's noise level stands: in the table of alphas by timestep, or in the run's sigmas."""
    predictions: tuple[PredictionType, ...] = ("epsilon", "v_prediction", "sample")
    options: Mapping[str, Any] = field(default_factory=dict)
    """What is set whatever the checkpoint says."""
    history: tuple[str, ...] = ()
    """The scheduler's attributes that carry something from step to step."""
    eta: float | None = None
    """Share of the noise that is drawn anew at each step; None where the method has none."""


# x0 of a latent is not bounded, so clipping and thresholding, which some classes do by default, are always off.
_LATENT = {"clip_sample": False, "thresholding": False}
_ALL: tuple[PredictionType, ...] = ("epsilon", "v_prediction", "flow_prediction", "sample")

SAMPLERS: dict[str, SamplerKind] = {
    "ddim": SamplerKind(DDIMScheduler, "alphas", options=_LATENT),
    "dpmpp_2m": SamplerKind(
        DPMSolverMultistepScheduler,
        "preserving",
        _ALL,
        {"thresholding": False, "algorithm_type": "dpmsolver++", "solver_order": 2, "variance_type": None},
        ("model_outputs", "lower_order_nums"),
    ),
    "unipc": SamplerKind(
        UniPCMultistepScheduler,
        "preserving",
        _ALL,
        {"thresholding": False, "predict_x0": True, "solver_p": None},
        ("model_outputs", "lower_order_nums", "last_sample", "this_order"),
    ),
    "euler": SamplerKind(EulerDiscreteScheduler, "exploding", ("epsilon", "v_prediction")),
    "lcm": SamplerKind(LCMScheduler, "alphas", options=_LATENT, eta=1.0),
    # 0.3 is what the authors of TCD (arXiv 2402.19159) recommend.
    "tcd": SamplerKind(TCDScheduler, "alphas", options=_LATENT, eta=0.3),
    "flow_euler": SamplerKind(
        FlowMatchEulerDiscreteScheduler, "flow", ("flow_prediction",), {"stochastic_sampling": False}
    ),
}


def checkpoint_prediction(scheduler_config: Mapping[str, Any]) -> PredictionType:
    """What the model of a checkpoint predicts, from its scheduler's settings."""
    if "FlowMatch" in scheduler_config.get("_class_name", ""):
        return "flow_prediction"
    return scheduler_config.get("prediction_type", "epsilon")
