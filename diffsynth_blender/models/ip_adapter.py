"""IP-Adapter: a picture as a second prompt, through attention layers of its own that are added to a U-Net."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import CLIPImageProcessorPil

from ..refusals import pass_refusal_on
from .errors import CheckpointError
from .header import Header, read_header, refuse_pickles
from .image_encoder import load_image_encoder
from .parts import ready
from .recognise import Family, one_line


def add_ip_adapter(
    path: Path, family: Family, network: Any, *, device: torch.device, dtype: torch.dtype
) -> tuple[Any, Any]:
    """Add an IP-Adapter to a U-Net, in place. Returns its image encoder and what prepares pictures for that.

    The path is that of a .safetensors file or of a folder that holds one; `image_encoder.py` tells where its encoder
    lies. The U-Net's processors of cross-attention are replaced; their `scale` is a list of one factor.

    Raises:
        CheckpointError: something is missing, damaged, or made for another family.
    """
    if family == "sd3":
        raise CheckpointError(f"{path}: IP-Adapters are for U-Nets; use a model of the families sd15, sd2 or sdxl")
    header = read_header(path if path.is_file() else _weights_file(path))
    if not (header.has("image_proj.") and header.has("ip_adapter.")):
        raise CheckpointError(f"{header.path}: holds no IP-Adapter; choose another folder")
    _check_family(header, family, network)
    encoder = load_image_encoder(header, device=device, dtype=dtype)
    weights: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    with safe_open(header.path, framework="pt", device="cpu") as file:
        for name in header.shapes:
            part, _, rest = name.partition(".")
            if part in weights:
                weights[part][rest] = file.get_tensor(name)
    try:
        network._load_ip_adapter_weights([weights])
    # diffusers raises KeyError, RuntimeError or ValueError for weights that are not what their names promise.
    except Exception as error:
        pass_refusal_on(error)
        raise CheckpointError(
            f"{header.path}: cannot be added to a model of the family {family} ({one_line(error)}); use another"
        ) from error
    ready(network, device)
    size = encoder.config.image_size
    processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    return encoder, processor


def _weights_file(folder: Path) -> Path:
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder, nor a file; choose the IP-Adapter's")
    files = sorted(file for file in folder.iterdir() if file.is_file())
    safe = [file for file in files if file.suffix.lower() == ".safetensors"]
    if len(safe) == 1:
        return safe[0]
    if safe:
        names = ", ".join(file.name for file in safe)
        raise CheckpointError(f"{folder}: holds several IP-Adapters ({names}); choose one of the files")
    for file in files:
        refuse_pickles(file)
    raise CheckpointError(f"{folder}: holds no .safetensors file; put the IP-Adapter's there")


def _check_family(header: Header, family: Family, network: Any) -> None:
    sizes = {shape[1] for name, shape in header.shapes.items() if name.endswith(".to_k_ip.weight")}
    expected = network.config.cross_attention_dim
    if sizes != {expected}:
        raise CheckpointError(
            f"{header.path}: made for another family of models: its keys have {sorted(sizes)} channels, those of "
            f"{family} {expected}; use an IP-Adapter made for it"
        )
