"""Text encoders of single files: names as in transformers.

Stable Diffusion 1.x and the first encoder of XL are OpenAI's CLIP as transformers once saved it; 2.x and the second
encoder of XL are OpenCLIP's, with queries, keys and values in one matrix.
"""

from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel

Weights = dict[str, torch.Tensor]


def clip_weights(weights: Weights, prefix: str, model_class: type) -> Weights:
    """OpenAI's CLIP. `prefix` is what its names begin with in the file."""
    bare = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    # Position numbers were saved as weights once.
    bare = {name: tensor for name, tensor in bare.items() if not name.endswith("position_ids")}
    return _names_in(bare, model_class)


def open_clip_weights(weights: Weights, prefix: str, model_class: type, config: CLIPTextConfig) -> Weights:
    """OpenCLIP. `prefix` is what its names begin with in the file."""

    class Model:
        """What diffusers' conversion asks of a model."""

        def __init__(self) -> None:
            self.config: Any = config

    converted = convert_open_clip_checkpoint(Model(), weights, prefix=prefix)
    # Stable Diffusion 2 reads the last layer but one: what lies beyond is in the file and in no model.
    beyond = f"text_model.encoder.layers.{config.num_hidden_layers}."
    converted = {name: tensor for name, tensor in converted.items() if not name.startswith(beyond)}
    if model_class is CLIPTextModel:
        converted.pop("text_projection.weight", None)
    return _names_in(converted, model_class)


def _names_in(weights: Weights, model_class: type) -> Weights:
    """Names as in the class: transformers' CLIPTextModel has lost the level `text_model`, the other class has not."""
    bare = {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    if model_class is CLIPTextModel:
        return bare
    return {name if name.startswith("text_projection.") else f"text_model.{name}": t for name, t in bare.items()}
