"""The layout of the original programs, written from diffusers' names: the inverse of what the product reads.

Tensors keep their values; convolutions where the original has them. Works on meta tensors too.
"""

import torch

Weights = dict[str, torch.Tensor]

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def _renamed(name: str, table: dict[str, str]) -> str:
    module, _, end = name.rpartition(".")
    return f"{table.get(module, module)}.{end}"


def _layer(kind: str, rest: str) -> str:
    return f"0.{_renamed(rest, _RESNET)}" if kind == "resnets" else f"1.{rest}"


def _downs(name: str, layers: int) -> str | None:
    """input_blocks of a name below down_blocks; None for another name."""
    words = name.split(".")
    if words[0] != "down_blocks":
        return None
    block, kind, index, rest = int(words[1]), words[2], int(words[3]), ".".join(words[4:])
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
    number = 1 + block * (layers + 1) + index
    return (
        f"input_blocks.{number}.0.{_renamed(rest, _RESNET)}" if kind == "resnets" else f"input_blocks.{number}.1.{rest}"
    )


def _middle(name: str) -> str | None:
    words = name.split(".")
    if words[0] != "mid_block":
        return None
    rest = ".".join(words[3:])
    if words[1] == "attentions":
        return f"middle_block.1.{rest}"
    return f"middle_block.{2 * int(words[2])}.{_renamed(rest, _RESNET)}"


def _ups(name: str, layers: int, attended: set[int]) -> str | None:
    words = name.split(".")
    if words[0] != "up_blocks":
        return None
    block, kind, index, rest = int(words[1]), words[2], int(words[3]), ".".join(words[4:])
    if kind == "upsamplers":
        return f"output_blocks.{block * (layers + 1) + layers}.{2 if block in attended else 1}.{rest}"
    number = block * (layers + 1) + index
    return (
        f"output_blocks.{number}.0.{_renamed(rest, _RESNET)}"
        if kind == "resnets"
        else f"output_blocks.{number}.1.{rest}"
    )


_EDGES = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip


def unet(weights: Weights, layers_per_block: int, prefix: str = "model.diffusion_model.") -> Weights:
    """A U-Net."""
    attended = {int(name.split(".")[1]) for name in weights if name.startswith("up_blocks.") and ".attentions." in name}
    return {
        prefix
        + (
            _downs(name, layers_per_block)
            or _middle(name)
            or _ups(name, layers_per_block, attended)
            or _renamed(name, _EDGES)
        ): tensor
        for name, tensor in weights.items()
    }


def controlnet(weights: Weights, layers_per_block: int, prefix: str = "control_model.") -> Weights:
    """A ControlNet."""
    last = 2 * (
        1 + len({name.split(".")[2] for name in weights if name.startswith("controlnet_cond_embedding.blocks.")})
    )

    def rename(name: str) -> str:
        words = name.split(".")
        if words[0] == "controlnet_down_blocks":
            return f"zero_convs.{words[1]}.0.{words[2]}"
        if words[0] == "controlnet_mid_block":
            return f"middle_block_out.0.{words[1]}"
        if words[0] == "controlnet_cond_embedding":
            number = {"conv_in": 0, "conv_out": last}.get(words[1])
            return f"input_hint_block.{2 * int(words[2]) + 2 if number is None else number}.{words[-1]}"
        return _downs(name, layers_per_block) or _middle(name) or _renamed(name, _EDGES)

    return {prefix + rename(name): tensor for name, tensor in weights.items()}


def vae(weights: Weights, prefix: str = "first_stage_model.") -> Weights:
    """A VAE; its attention is made of 1x1 convolutions there."""
    levels = 1 + max(int(name.split(".")[2]) for name in weights if ".up_blocks." in name)
    result = {}
    for name, tensor in weights.items():
        words = name.split(".")
        if "mid_block" in words:
            number, rest = int(words[3]), ".".join(words[4:])
            if words[2] == "attentions":
                new = f"{words[0]}.mid.attn_1.{_renamed(rest, _VAE_ATTENTION)}"
                tensor = tensor[..., None, None] if tensor.ndim == 2 else tensor
            else:
                new = f"{words[0]}.mid.block_{number + 1}.{rest}"
        elif "down_blocks" in words or "up_blocks" in words:
            down = "down_blocks" in words
            level = int(words[2]) if down else levels - 1 - int(words[2])
            rest = ".".join(words[5:]).replace("conv_shortcut", "nin_shortcut")
            side = "down" if down else "up"
            block = f"block.{words[4]}" if words[3] == "resnets" else f"{side}sample"
            new = f"{words[0]}.{side}.{level}.{block}.{rest}"
        else:
            new = name.replace("conv_norm_out", "norm_out")
        result[prefix + new] = tensor
    return result


def clip(weights: Weights, prefix: str) -> Weights:
    """OpenAI's CLIP, with the position numbers that were saved as weights."""
    result = {f"{prefix}text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in weights.items()}
    positions = len(next(t for name, t in weights.items() if name.endswith("position_embedding.weight")))
    result[f"{prefix}text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    return result


def open_clip(weights: Weights, prefix: str, *, one_layer_more: bool = False) -> Weights:
    """OpenCLIP: queries, keys and values in one matrix, the projection transposed; a last layer that nobody reads."""
    own = {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    layers = 1 + max(int(name.split(".")[2]) for name in own if name.startswith("encoder.layers."))
    result = {
        "positional_embedding": own["embeddings.position_embedding.weight"],
        "token_embedding.weight": own["embeddings.token_embedding.weight"],
        "ln_final.weight": own["final_layer_norm.weight"],
        "ln_final.bias": own["final_layer_norm.bias"],
        "logit_scale": torch.zeros(()),
    }
    width = own["final_layer_norm.weight"].shape[0]
    result["text_projection"] = (
        own["text_projection.weight"].T.contiguous() if "text_projection.weight" in own else torch.zeros(width, width)
    )
    for layer in range(layers):
        source, block = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            joined = torch.cat([own[f"{source}self_attn.{part}_proj.{kind}"] for part in "qkv"])
            result[f"{block}attn.in_proj_{kind}"] = joined
            for ours, theirs in _OPEN_CLIP.items():
                result[f"{block}{theirs}.{kind}"] = own[f"{source}{ours}.{kind}"]
    if one_layer_more:
        last, beyond = f"transformer.resblocks.{layers - 1}.", f"transformer.resblocks.{layers}."
        result |= {name.replace(last, beyond): t.clone() for name, t in result.items() if name.startswith(last)}
    return {prefix + name: tensor for name, tensor in result.items()}
