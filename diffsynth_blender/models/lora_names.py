"""What the layers of a model are called in LoRA files.

kohya's scripts write a layer's name with "_" for "."; in XL's U-Net they use the names of the original program.
diffusers' and peft's write it as it is, below the part's name; diffusers' older ones name the attention's processor.
Every name becomes one of "_" alone, so that one table answers for all layouts.
"""

from typing import Any

import torch

_OLD_ATTENTION = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}
_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_EDGES = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}

NETWORK_PREFIXES = ("lora_unet_", "unet_", "transformer_", "lora_transformer_", "base_model_model_", "")
_TEXT_PREFIXES = (("lora_te_", "lora_te1_", "text_encoder_"), ("lora_te2_", "text_encoder_2_"), ("lora_te3_",))


def flat(name: str) -> str:
    """A layer's name with "_" alone."""
    return name.replace(".", "_")


def layer_table(network: Any, text_encoders: tuple[Any, ...]) -> dict[str, tuple[str, torch.nn.Module]]:
    """Every layer with weights, by each of its flat names, with its full name for messages."""
    table: dict[str, tuple[str, torch.nn.Module]] = {}
    layers_per_block = network.config.get("layers_per_block")
    for name, layer in _layers(network):
        names = {name, name.replace("to_out.0", "to_out")}
        names |= {name.replace(".to_", ".processor.to_").replace("to_out.0", "to_out")}
        if isinstance(layers_per_block, int):
            names.add(original_name(name, layers_per_block))
        table |= {prefix + flat(alias): (name, layer) for alias in names for prefix in NETWORK_PREFIXES}
    for encoder, prefixes in zip(text_encoders, _TEXT_PREFIXES, strict=False):
        for name, layer in _layers(encoder):
            bare = name.removeprefix("text_model.")
            head, _, last = bare.rpartition(".")
            names = {bare, f"{head}.{_OLD_ATTENTION.get(last, last)}"}
            names |= {f"text_model.{alias}" for alias in names}
            table |= {prefix + flat(alias): (name, layer) for alias in names for prefix in prefixes}
    return table


def _layers(part: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return [(name, layer) for name, layer in part.named_modules() if isinstance(layer, kinds)]


def original_name(name: str, layers_per_block: int) -> str:
    """What the original program calls a layer of a U-Net."""
    words = name.split(".")
    if words[0] == "mid_block":
        number = 1 if words[1] == "attentions" else 2 * int(words[2])
        return ".".join(["middle_block", str(number), _inner(words[1], words[3:])])
    if words[0] not in ("down_blocks", "up_blocks"):
        return _EDGES.get(name, name)
    block, kind, index = int(words[1]), words[2], int(words[3])
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers_per_block + 1)}.0.op"
    first = 1 if words[0] == "down_blocks" else 0
    side = "input_blocks" if words[0] == "down_blocks" else "output_blocks"
    if kind == "upsamplers":
        # Behind a block's attentions, where it has any; XL's have, and only XL's files use these names.
        return f"{side}.{block * (layers_per_block + 1) + layers_per_block}.2.conv"
    number = first + block * (layers_per_block + 1) + index
    return f"{side}.{number}.{0 if kind == 'resnets' else 1}.{_inner(kind, words[4:])}"


def _inner(kind: str, words: list[str]) -> str:
    name = ".".join(words)
    return _RESNET.get(name, name) if kind == "resnets" else name
