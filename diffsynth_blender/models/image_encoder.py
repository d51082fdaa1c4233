"""The image encoder of an IP-Adapter: in its own folder, or as ComfyUI keeps it, one of the files in `clip_vision`."""

from typing import Any

import torch
from safetensors import safe_open
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from .errors import CheckpointError
from .header import Header, read_header
from .parts import build_network, load_network

FOLDER = "image_encoder"
SHELF = "clip_vision"
"""ComfyUI's folder of image encoders, beside that of IP-Adapters."""

_HEADS = {1280: 16, 1664: 16}
"""By the channels of a layer, of the two encoders that IP-Adapters are made with: OpenCLIP's ViT-H and ViT-bigG."""


def load_image_encoder(adapter: Header, *, device: torch.device, dtype: torch.dtype) -> Any:
    """The encoder that an IP-Adapter's file was made with.

    It is looked for in `image_encoder` beside the file, then among the files of `clip_vision` beside its folder, where
    the one is taken that makes as many numbers of a picture as the adapter reads.

    Raises CheckpointError where it is not there, or damaged.
    """
    folder = adapter.path.parent / FOLDER
    shelf = adapter.path.parent.parent / SHELF
    if folder.is_dir() or not shelf.is_dir():
        return load_network(folder, CLIPVisionModelWithProjection, device=device, dtype=dtype)
    wanted = _read_channels(adapter)
    for file in sorted(shelf.glob("*.safetensors")):
        header = read_header(file)
        projection = header.shapes.get("visual_projection.weight")
        if projection is not None and projection[0] == wanted:
            return _load_file(header, device=device, dtype=dtype)
    raise CheckpointError(
        f"{shelf}: holds no image encoder that makes {wanted} numbers of a picture, which {adapter.path.name} reads; "
        "put it there, or in a folder image_encoder beside the IP-Adapter"
    )


def _read_channels(adapter: Header) -> int | None:
    shape = adapter.shapes.get("image_proj.proj.weight")
    return shape[-1] if shape else None


def _load_file(header: Header, *, device: torch.device, dtype: torch.dtype) -> Any:
    try:
        config = _config(header.shapes)
    except KeyError as error:
        raise CheckpointError(
            f"{header.path}: no image encoder that is known here ({error.args[0]}); use another"
        ) from error
    with safe_open(header.path, framework="pt", device="cpu") as file:
        names = [name for name in header.shapes if not name.endswith("position_ids")]
        weights = {name: file.get_tensor(name) for name in names}
    return build_network(header.path, CLIPVisionModelWithProjection, config, weights, device=device, dtype=dtype)


def _config(shapes: dict[str, tuple[int, ...]]) -> CLIPVisionConfig:
    """From the shapes of its weights. Raises KeyError for what is not there or not known."""
    channels, _, patch, _ = shapes["vision_model.embeddings.patch_embedding.weight"]
    places = shapes["vision_model.embeddings.position_embedding.weight"][0] - 1  # one is that of the whole picture
    layers = {name.split(".")[3] for name in shapes if name.startswith("vision_model.encoder.layers.")}
    return CLIPVisionConfig(
        hidden_size=channels,
        num_attention_heads=_HEADS[channels],
        num_hidden_layers=len(layers),
        intermediate_size=shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
        patch_size=patch,
        image_size=patch * round(places**0.5),
        projection_dim=shapes["visual_projection.weight"][0],
        hidden_act="gelu",
    )
