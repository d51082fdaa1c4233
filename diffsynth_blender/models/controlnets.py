"""ControlNets: the model's own or an artist's, one a kind of control or one for many kinds (union models)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, ControlNetUnionModel, SD3ControlNetModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

from .errors import CheckpointError
from .header import Header, read_header
from .parts import build_network, load_network
from .recognise import Family, read_json
from .registry import CheckpointEntry
from .single_file import read_weights

UNION = "union"
"""The kind in the name of a union model's folder inside a model folder."""

UNION_MODES = {
    "openpose": 0,
    "depth": 1,
    "softedge": 2,
    "scribble": 2,
    "lineart": 3,
    "canny": 3,
    "anime": 3,
    "normal": 4,
    "segment": 5,
    "tile": 6,
    "repaint": 7,
}
"""Index of each kind in ControlNetUnion's (github.com/xinsir6/ControlNetPlus); the first version ends at 5."""

_CLASSES = {
    "ControlNetModel": ControlNetModel,
    "ControlNetUnionModel": ControlNetUnionModel,
    "SD3ControlNetModel": SD3ControlNetModel,
}


@dataclass(frozen=True)
class LoadedControl:
    """A ControlNet for one kind of control."""

    kind: str
    net: Any
    union_mode: int | None = None
    """Index of the kind in a union model (ControlNetUnionModel), where several kinds share one net; else None."""


def load_controls(
    controls: tuple[tuple[str, str], ...],
    entry: CheckpointEntry,
    family: Family,
    network: Any,
    *,
    configs: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[LoadedControl, ...]:
    """A ControlNet for each (kind, path), in that order; "" is the model's own. One file or folder is loaded once.

    Raises CheckpointError where one is missing, damaged, not for this kind, or made for another family.
    """
    loaded: dict[tuple[Path, bool], Any] = {}
    result = []
    for kind, given in controls:
        path = Path(given) if given else _own(entry, kind)
        # The content shuffle's ControlNet is told apart by its use alone when it comes in one file.
        key = (path, kind == "shuffle")
        if key not in loaded:
            if path.is_dir():
                loaded[key] = _load_folder(path, device=device, dtype=dtype)
            else:
                loaded[key] = _load_file(path, kind, configs / family, device=device, dtype=dtype)
            _check_family(path, loaded[key], family, network)
        net = loaded[key]
        result.append(LoadedControl(kind, net, _union_mode(path, kind, net)))
    return tuple(result)


def _own(entry: CheckpointEntry, kind: str) -> Path:
    name = entry.controlnets.get(kind)
    if name is None and kind in UNION_MODES:
        name = entry.controlnets.get(UNION)
    if name is None:
        known = ", ".join(entry.controlnets) or "a ControlNet given by its path"
        raise CheckpointError(f"{entry.path}: the model has no ControlNet for {kind!r}; use {known}")
    return entry.folder / name


def _load_folder(folder: Path, *, device: torch.device, dtype: torch.dtype) -> Any:
    name = read_json(folder / "config.json").get("_class_name")
    if name not in _CLASSES:
        raise CheckpointError(f"{folder}: a {name} is no ControlNet known here; use one of {', '.join(_CLASSES)}")
    return load_network(folder, _CLASSES[name], device=device, dtype=dtype)


def _load_file(path: Path, kind: str, configs: Path, *, device: torch.device, dtype: torch.dtype) -> Any:
    """A ControlNet in one file, in the original layout or diffusers', from the family's configuration."""
    if not path.exists():
        raise CheckpointError(f"{path}: no such ControlNet; choose another")
    header = read_header(path)
    if "lora_controlnet" in header.shapes or header.has("lllite_"):
        raise CheckpointError(f"{path}: a control LoRA, which is not supported; use a ControlNet")
    original = header.has("control_model.") or "input_hint_block.0.weight" in header.shapes
    if not original and not header.has("controlnet_cond_embedding."):
        raise CheckpointError(f"{path}: holds no ControlNet; choose another file")
    union = header.has("control_add_embedding.")
    folder = configs / ("controlnet_union" if union else "controlnet")
    if not folder.is_dir():
        raise CheckpointError(
            f"{path}: for models of the family {configs.name} this kind of ControlNet is read from folders only; "
            "use its folder in the diffusers layout"
        )
    config = read_json(folder / "config.json")
    _check_text_size(header, config["cross_attention_dim"], configs.name)
    if union:
        config["num_control_type"] = header.shapes["task_embedding"][0]
    else:
        config["global_pool_conditions"] = kind == "shuffle"
    weights = read_weights(header, "", "a ControlNet")
    if original:
        weights = convert_controlnet_checkpoint(weights, config) | _size_embedding(weights)
    model_class = ControlNetUnionModel if union else ControlNetModel
    return build_network(path, model_class, config, weights, device=device, dtype=dtype)


def _size_embedding(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What XL reads the picture's size with; diffusers' conversion leaves it out."""
    places = {"label_emb.0.0.": "add_embedding.linear_1.", "label_emb.0.2.": "add_embedding.linear_2."}
    return {
        ours + name.removeprefix("control_model.").removeprefix(theirs): tensor
        for name, tensor in weights.items()
        for theirs, ours in places.items()
        if name.removeprefix("control_model.").startswith(theirs)
    }


def _check_text_size(header: Header, expected: int, family: str) -> None:
    """The channels of the text embeddings it reads tell the family: 768, 1024 or 2048."""
    sizes = {shape[1] for name, shape in header.shapes.items() if name.endswith(".attn2.to_k.weight")}
    if sizes - {expected}:
        raise CheckpointError(_other_family(header.path, sizes.pop(), expected, family))


def _check_family(path: Path, net: Any, family: Family, network: Any) -> None:
    if isinstance(net, SD3ControlNetModel) != (family == "sd3"):
        raise CheckpointError(
            f"{path}: a {type(net).__name__} does not fit a model of the family {family}; use another"
        )
    key = "joint_attention_dim" if family == "sd3" else "cross_attention_dim"
    if net.config[key] != network.config[key]:
        raise CheckpointError(_other_family(path, net.config[key], network.config[key], family))
    if family != "sd3" and net.config.addition_embed_type != network.config.addition_embed_type:
        raise CheckpointError(f"{path}: made for another family of models than {family}; use a ControlNet made for it")


def _other_family(path: Path, size: int, expected: int, family: str) -> str:
    return (
        f"{path}: made for another family of models: its texts have {size} channels, those of {family} {expected}; "
        "use a ControlNet made for it"
    )


def _union_mode(path: Path, kind: str, net: Any) -> int | None:
    if not isinstance(net, ControlNetUnionModel):
        return None
    mode = UNION_MODES.get(kind)
    count = net.config.num_control_type
    if mode is None or mode >= count:
        known = ", ".join(name for name, index in UNION_MODES.items() if index < count)
        raise CheckpointError(f"{path}: this union ControlNet knows no {kind!r}; use {known}")
    return mode
