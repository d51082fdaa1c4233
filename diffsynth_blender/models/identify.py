"""What a file or folder is to this product: a base model, a ControlNet, a LoRA and so on; from headers alone."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import CheckpointError
from .header import Header, read_header
from .recognise import VAE_PREFIX, file_family, folder_family, read_json

Kind = Literal["base", "controlnet", "lora", "vae", "tiny_vae", "ip_adapter", "image_encoder"]

KIND_NAMES: dict[str, str] = {
    "base": "a model",
    "controlnet": "a ControlNet",
    "lora": "a LoRA",
    "vae": "a VAE",
    "tiny_vae": "a tiny VAE",
    "ip_adapter": "an IP-Adapter",
    "image_encoder": "an image encoder",
}
"""For sentences."""

_FOLDER_CLASSES: dict[str, Kind] = {
    "ControlNetModel": "controlnet",
    "ControlNetUnionModel": "controlnet",
    "SD3ControlNetModel": "controlnet",
    "AutoencoderKL": "vae",
    "AutoencoderTiny": "tiny_vae",
}
# Channels of the text that a family's attention reads.
_TEXT_FAMILIES = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
# A ControlNet's file does not say what it reads; its name does, by habit.
_CONTROLS = (
    ("union", r"union|promax"),
    ("depth", r"depth"),
    ("normal", r"normal"),
    ("softedge", r"soft[-_ ]?edge|hed(?![a-z])|pidi"),
    ("lineart", r"line[-_ ]?art"),
    ("canny", r"canny"),
    ("tile", r"tile|unblur"),
    ("shuffle", r"shuffle"),
)


@dataclass(frozen=True)
class Identity:
    """What something is."""

    kind: Kind
    family: str = ""
    """A family of `recognise.Family`; "" where the weights do not tell, as those of a VAE."""
    control: str = ""
    """Of a ControlNet: the kind that its name tells, "union" for many kinds; "" where neither name nor weights tell."""


def identify(path: Path) -> Identity:
    """What a .safetensors file, or a folder in the diffusers layout, is.

    Raises CheckpointError where it is nothing of use here, saying what it is or what it lacks.
    """
    return _identify_folder(path) if path.is_dir() else identify_file(read_header(path))


def identify_file(header: Header) -> Identity:
    """What one file is. Raises CheckpointError as `identify`."""
    names = header.shapes
    if header.has("control_model.") or "input_hint_block.0.weight" in names or header.has("controlnet_cond_embedding."):
        union = header.has("control_add_embedding.")
        return Identity("controlnet", _network_family(header), "union" if union else control_of(header.path.stem))
    if header.has("ip_adapter.") and header.has("image_proj."):
        return Identity("ip_adapter", _text_family(header, ".to_k_ip.weight"))
    if any(".lora_" in name or "_lora." in name or ".lora." in name for name in names):
        return Identity("lora", _lora_family(header))
    if header.has("vision_model.embeddings."):
        return Identity("image_encoder")
    if header.has("decoder.layers."):
        return Identity("tiny_vae")
    if _is_vae(header):
        return Identity("vae")
    return Identity("base", file_family(header))


def control_of(name: str) -> str:
    """The kind of control that a ControlNet's name tells; "" for none."""
    return next((control for control, words in _CONTROLS if re.search(words, name.lower())), "")


def _identify_folder(folder: Path) -> Identity:
    if (folder / "model_index.json").is_file():
        family = folder_family(folder)
        for part in ("transformer" if family == "sd3" else "unet", "vae", "text_encoder"):
            _check_weights(folder / part)
        return Identity("base", family)
    config = read_json(folder / "config.json")
    kind = _FOLDER_CLASSES.get(str(config.get("_class_name")))
    if kind is None:
        raise CheckpointError(f"{folder}: no model, ControlNet or VAE in the diffusers layout; choose another folder")
    weights = _check_weights(folder)
    if kind != "controlnet":
        return Identity(kind)
    if config["_class_name"] == "SD3ControlNetModel":
        return Identity(kind, "sd3", control_of(folder.name))
    network_family = _network_family(read_header(weights))
    union = config["_class_name"] == "ControlNetUnionModel"
    # A folder of the hub's cache is named by its commit; the repository's name is two above it.
    label = folder.parents[1].name if folder.parent.name == "snapshots" else folder.name
    return Identity(kind, network_family, "union" if union else control_of(label))


def _check_weights(folder: Path) -> Path:
    """One weights file of a part, whose header is whole. Raises CheckpointError where there is none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = sorted(path.name for path in folder.glob("*") if path.suffix in (".bin", ".ckpt", ".pt"))
        what = f"only {pickles[0]}, which can run any program when it is read" if pickles else "no weights"
        raise CheckpointError(f"{folder}: holds {what}; use the model's .safetensors files")
    for file in files:
        read_header(file)
    return files[0]


def _network_family(header: Header) -> str:
    """Of a ControlNet: XL alone reads the picture's size; 2.x projects by matrices, 1.x by convolutions."""
    if any(name.startswith(("add_embedding.", "label_emb.", "control_model.label_emb.")) for name in header.shapes):
        return "sdxl"
    projections = [shape for name, shape in header.shapes.items() if name.endswith(".proj_in.weight")]
    return "sd2" if projections and len(projections[0]) == 2 else "sd15"


def _text_family(header: Header, ending: str) -> str:
    sizes = {shape[-1] for name, shape in header.shapes.items() if name.endswith(ending)}
    return _TEXT_FAMILIES.get(sizes.pop(), "") if len(sizes) == 1 else ""


def _lora_family(header: Header) -> str:
    """By the channels that its cross-attention reads; XL alone has a second text encoder."""
    if any(name.startswith(("lora_te2_", "text_encoder_2.")) for name in header.shapes):
        return "sdxl"
    down = r"attn2[._](processor[._])?to_k([._]lora)?[._](lora_down|lora_A|down)(\.default)?\.weight"
    sizes = {shape[1] for name, shape in header.shapes.items() if re.search(down, name) and len(shape) > 1}
    return _TEXT_FAMILIES.get(sizes.pop(), "") if len(sizes) == 1 else ""


def _is_vae(header: Header) -> bool:
    """In the diffusers layout or the original one, with its prefix or without."""
    names = [name.removeprefix(VAE_PREFIX) for name in header.shapes]
    parts = {name.split(".")[0] for name in names}
    return {"encoder", "decoder"} <= parts <= {"encoder", "decoder", "quant_conv", "post_quant_conv", "loss"}
