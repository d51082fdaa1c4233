"""Which family a model is of, from the names and shapes in its file or the configuration in its folder.

Reads no weight and needs no torch: a folder with hundreds of files is looked through in seconds.
"""

import json
import textwrap
from pathlib import Path
from typing import Any, Literal

from .errors import CheckpointError
from .header import Header

Family = Literal["sd15", "sd2", "sdxl", "sd3"]
"""Stable Diffusion 1.x, 2.x, XL and 3."""

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."

_NOT_MODELS = (
    ("lora_", "a LoRA; add it to a model"),
    ("unet.down_blocks.", "a LoRA; add it to a model"),
    ("control_model.", "a ControlNet; give it as the model of a control"),
    ("controlnet_cond_embedding.", "a ControlNet; give it as the model of a control"),
    ("ip_adapter.", "an IP-Adapter; give its folder as the IP-Adapter of a reference picture"),
    ("down_blocks.", "only a U-Net; use the whole model, or its folder in the diffusers layout"),
    (f"{UNET_PREFIX}joint_blocks.", "Stable Diffusion 3, which is read from a folder in the diffusers layout only"),
    ("joint_blocks.", "Stable Diffusion 3, which is read from a folder in the diffusers layout only"),
    (
        f"{UNET_PREFIX}double_blocks.",
        "of the Flux family, which is not known here; use Stable Diffusion 1.5, 2.1 or XL",
    ),
    ("double_blocks.", "of the Flux family, which is not known here; use Stable Diffusion 1.5, 2.1 or XL"),
)
"""What files that are no model of ours begin their names with, and what they are."""

_WHICH = "use Stable Diffusion 1.5, 2.1, XL or 3"


def one_line(error: Exception) -> str:
    """The first line of what a library says, for a message of one line."""
    lines = str(error).strip().splitlines()
    return textwrap.shorten(lines[0], 200, placeholder=" ...") if lines else type(error).__name__


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises CheckpointError where it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path}: this file of the model is missing; copy the whole model folder again"
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{path}: not valid JSON ({one_line(error)}); copy the whole model folder again"
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: holds no JSON object; copy the whole model folder again")
    return value


def file_family(header: Header) -> Family:
    """The family of a single file, from the names and shapes of its weights.

    Raises CheckpointError for whatever is no text-to-image model of a known family, saying what it is.
    """
    for prefix, what in _NOT_MODELS:
        if header.has(prefix):
            raise CheckpointError(f"{header.path}: this is {what}")
    first = header.shapes.get(f"{UNET_PREFIX}input_blocks.0.0.weight")
    if first is None:
        raise CheckpointError(f"{header.path}: holds no U-Net in the original layout; use the whole model")
    if first[1] != header.shapes.get(f"{UNET_PREFIX}out.2.weight", (4,))[0]:
        raise CheckpointError(
            f"{header.path}: a model for inpainting or editing; use the base model of the same family"
        )
    if header.has(f"{UNET_PREFIX}label_emb."):
        if header.has("conditioner.embedders.0.model."):
            raise CheckpointError(f"{header.path}: a refiner, which only finishes pictures; use the base model")
        return "sdxl"
    # 1.x projects into its transformers by 1x1 convolutions, 2.x by matrices.
    projections = [shape for name, shape in header.shapes.items() if name.endswith(".proj_in.weight")]
    return "sd2" if projections and len(projections[0]) == 2 else "sd15"


def folder_family(folder: Path) -> Family:
    """The family of a model folder, from the configuration of its network.

    Raises CheckpointError for models of other kinds, saying which would do.
    """
    if (folder / "transformer").is_dir():
        kind = read_json(folder / "transformer" / "config.json").get("_class_name")
        if kind != "SD3Transformer2DModel":
            raise CheckpointError(f"{folder}: a {kind} is of no family known here; {_WHICH}")
        return "sd3"
    config = read_json(folder / "unet" / "config.json")
    if config.get("_class_name") != "UNet2DConditionModel":
        raise CheckpointError(f"{folder}: a {config.get('_class_name')} is of no family known here; {_WHICH}")
    if config.get("in_channels", 4) != config.get("out_channels", 4):
        raise CheckpointError(f"{folder}: a model for inpainting or editing; use the base model of the same family")
    extra = config.get("addition_embed_type")
    if extra == "text_time":
        if not (folder / "text_encoder").is_dir():
            raise CheckpointError(f"{folder}: a refiner, which only finishes pictures; use the base model")
        return "sdxl"
    if extra is not None or config.get("class_embed_type") or config.get("encoder_hid_dim_type"):
        raise CheckpointError(f"{folder}: its U-Net is of no family known here; {_WHICH}")
    return "sd2" if config.get("use_linear_projection") else "sd15"
