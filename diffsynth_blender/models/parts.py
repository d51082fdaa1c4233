"""One part of a model: from its folder, or from weights and a configuration; no weight is missing or left over."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.utils import logging as diffusers_logging
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from ..refusals import pass_refusal_on
from . import offline as offline
from .errors import CheckpointError
from .recognise import Family, one_line

# The libraries' own progress bars would run through the worker's log, which people read when a job fails.
diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()

_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Parts:
    """What every model is made of, whichever layout it comes in."""

    family: Family
    tokenizers: tuple[Any, ...]
    text_encoders: tuple[Any, ...]
    """As many as tokenizers, in the same order."""
    vae: AutoencoderKL
    """float32: the deflickering takes differences of its outputs."""
    tiny_vae: AutoencoderTiny | None
    """float32; None where it was not asked for or the model has none."""
    network: Any
    """UNet2DConditionModel, or SD3Transformer2DModel for sd3; LoRAs are worked into it and into the text encoders."""
    scheduler_config: dict[str, Any]
    """As in scheduler_config.json."""


def load_from(folder: Path, load: Callable[..., Any], **options: Any) -> Any:
    """What `load` makes of a folder; whatever the library raises becomes a CheckpointError naming the folder."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: this part of the model is missing; copy the whole model folder again")
    try:
        return load(folder, local_files_only=True, **options)
    # The libraries raise OSError, ValueError, KeyError, RuntimeError or SafetensorError for one and the same cause.
    except Exception as error:
        pass_refusal_on(error)
        raise CheckpointError(
            f"{folder}: cannot be loaded ({one_line(error)}); copy the whole model folder again"
        ) from error


def load_network(folder: Path, model_class: Any, *, device: torch.device, dtype: torch.dtype) -> Any:
    """A network from its own folder, frozen and in evaluation mode.

    Raises CheckpointError where the folder or a weight is missing, or where there are only files that run code.
    """
    options: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True}
    if folder.is_dir():
        weights = [file.name for file in folder.iterdir()]
        safe = [name for name in weights if name.endswith(".safetensors")]
        if not safe and any(name.endswith(_PICKLES) for name in weights):
            raise CheckpointError(
                f"{folder}: its weights can run any program when they are read; use the model's .safetensors files"
            )
        # Folders that were downloaded for half precision alone hold no other file.
        if safe and all(".fp16" in name for name in safe):
            options["variant"] = "fp16"
    # The two libraries name the number format differently.
    options["dtype" if issubclass(model_class, PreTrainedModel) else "torch_dtype"] = dtype
    network, found = load_from(folder, model_class.from_pretrained, **options)
    # Weights that nobody reads do no harm; one that is not there would be left as it happens to be in memory.
    _refuse(folder, "lacks", found["missing_keys"], "copy the whole model folder again")
    return ready(network, device)


def build_network(
    source: Path, model_class: Any, config: Any, weights: dict[str, torch.Tensor], *, device: torch.device,
    dtype: torch.dtype,
) -> Any:  # fmt: skip
    """A network from a configuration and all of its weights, frozen and in evaluation mode.

    Args:
        source: where the weights come from, for messages.
        model_class: of diffusers or transformers.
        config: a dict for diffusers, a config object for transformers.
        weights: by their names in `model_class`; used up.
        device: where it is put.
        dtype: of its weights.

    Raises:
        CheckpointError: weights are missing, left over, or of another shape than the configuration's.
    """
    # Buffers are made as usual: those that are not saved, such as CLIP's position numbers, have no other source.
    with init_empty_weights(include_buffers=False):
        network = model_class(config) if issubclass(model_class, PreTrainedModel) else model_class.from_config(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    remedy = "this is another architecture, or an incomplete file; choose another"
    _refuse(source, "lacks", expected.keys() - given.keys(), remedy)
    _refuse(source, "holds, besides what belongs in it,", given.keys() - expected.keys(), remedy)
    for name, shape in given.items():
        if shape != expected[name]:
            raise CheckpointError(f"{source}: {name} has shape {shape} instead of {expected[name]}; {remedy}")
    # One after the other: a second copy of the largest networks would not fit into the memory of small machines.
    for name in given:
        weights[name] = weights[name].to(dtype)
    network.load_state_dict(weights, assign=True)
    return ready(network, device)


def _refuse(source: Path, what: str, names: Collection[str], remedy: str) -> None:
    if names:
        raise CheckpointError(f"{source}: {what} {len(names)} weights, {min(names)} the first; {remedy}")


def ready(network: Any, device: torch.device) -> Any:
    """The network on its device, frozen and in evaluation mode."""
    return network.to(device).eval().requires_grad_(False)
