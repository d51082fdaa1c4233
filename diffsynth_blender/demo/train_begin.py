"""Begin a training with weights of another one instead of random ones: what means the same moves over.

The other model may have other words, fewer latents and fewer ControlNets. Words keep their vectors, latents are known
by their coefficients, and a new ControlNet starts as a copy of another, almost silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import CLIPTokenizer

from .train_checkpoint import load_checkpoint, save_checkpoint
from .train_diffusion import DemoModel
from .train_tile import set_tile_embedding

OLD_NAMES = (("controlnet_depth.", "controlnets.depth."), ("controlnet_normal.", "controlnets.normal."))
"""Of parts in checkpoints made before there was a ControlNet for the tile."""
OLD_LATENTS = (0, 1, 2, 4, 3, 5, 15, 16, 17, 18, 19, 20)
"""Where the latents of a model with twelve are among ours: six coefficients of luma, three of each chroma component."""
SILENCE = 0.05
"""Factor on the outputs of a ControlNet that starts as a copy: it has not seen its control yet."""


def begin_decoder_with(path: Path, theirs: np.ndarray, ours: np.ndarray, decoder: nn.Module, folder: Path) -> None:
    """Write `decoder.pt` into `folder` as if it had been trained for no time, with weights of the checkpoint `path`.

    `theirs` and `ours` are the spreads of the latents (train_encoder.measure_spread); the rest is as in `begin_with`.
    """
    target = folder / "decoder.pt"
    if target.is_file():
        return
    own = decoder.state_dict()
    weights = {name: value for name, value in _checkpoint(path)["model"].items() if own[name].shape == value.shape}
    for name in own.keys() - weights.keys():
        weights[name] = _latents(name, own[name], _checkpoint(path)["model"][name])
    # The same coefficient is another latent where its spread is another.
    places = list(OLD_LATENTS)
    scale = torch.from_numpy(ours[places] / theirs).float()
    weights["conv_in.weight"][:, places] *= scale.view(1, -1, 1, 1)
    decoder.load_state_dict(weights)
    _save(decoder, target, mean={})


def begin_with(path: Path, words: CLIPTokenizer, tokenizer: CLIPTokenizer, spread: np.ndarray, folder: Path) -> None:
    """Write `diffusion.pt` into `folder` as if it had been trained for no time, with weights of the checkpoint `path`.

    Args:
        path: checkpoint of a diffusion stage.
        words: the tokenizer it was trained with.
        tokenizer: the one that will be trained with.
        spread: of the latents that will be trained with, see train_encoder.measure_spread.
        folder: of the new training; a checkpoint that is there is left alone.

    Raises:
        FileNotFoundError: there is no checkpoint at `path`.
    """
    target = folder / "diffusion.pt"
    if target.is_file():
        return
    model = DemoModel(tokenizer)
    own = model.state_dict()
    theirs = {_renamed(name): value for name, value in _checkpoint(path)["mean"].items()}
    has_tile = "controlnets.tile.conv_in.weight" in theirs
    if not has_tile:
        theirs.update(_copied_net(theirs, "normal", "tile"))
    for name, value in theirs.items():
        if name.endswith("token_embedding.weight"):
            own[name] = _embeddings(own[name], value, words, tokenizer)
        elif name in own and own[name].shape == value.shape:
            own[name] = value
        elif name in own:
            own[name] = _latents(name, own[name], value)
    model.load_state_dict(own)
    if not has_tile:
        set_tile_embedding(model.controlnets["tile"], spread)
    _save(model, target, mean=model.state_dict())


def _checkpoint(path: Path) -> dict[str, Any]:
    state = load_checkpoint(path)
    if state is None:
        raise FileNotFoundError(f"{path}: no such checkpoint to begin with")
    return state


def _save(module: nn.Module, path: Path, *, mean: dict[str, torch.Tensor]) -> None:
    weights = {"model": module.state_dict(), "mean": mean}
    save_checkpoint(path, {**weights, "optimizer": None, "step": 0, "spent": 0.0})


def _renamed(name: str) -> str:
    for old, new in OLD_NAMES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _copied_net(theirs: dict[str, torch.Tensor], kind: str, new: str) -> dict[str, torch.Tensor]:
    """A ControlNet's weights under another's name, without what reads its control, its outputs almost silent."""
    prefix = f"controlnets.{kind}."
    copied = {}
    for name, value in theirs.items():
        if not name.startswith(prefix) or "controlnet_cond_embedding" in name:
            continue
        is_output = "controlnet_down_blocks" in name or "controlnet_mid_block" in name
        copied[f"controlnets.{new}.{name.removeprefix(prefix)}"] = value * SILENCE if is_output else value
    return copied


def _embeddings(
    own: torch.Tensor, theirs: torch.Tensor, words: CLIPTokenizer, tokenizer: CLIPTokenizer
) -> torch.Tensor:
    """Vectors of our tokens: the other model's where it has the token, else the mean of the pieces it would use."""
    known = words.get_vocab()
    vectors = own.clone()
    for token, index in tokenizer.get_vocab().items():
        if token in known:
            vectors[index] = theirs[known[token]]
            continue
        pieces: Sequence[int] = words(token.removesuffix("</w>"), add_special_tokens=False).input_ids
        if pieces:
            vectors[index] = theirs[list(pieces)].mean(dim=0)
    return vectors


def _latents(name: str, own: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Weights of a layer that reads or writes latents, (out, in, y, x) or (out,): the new latents are not heard yet."""
    places = list(OLD_LATENTS)
    if name.endswith("conv_in.weight"):
        mixed = torch.zeros_like(own)
        mixed[:, places] = theirs
    elif name.endswith("conv_out.weight") or name.endswith("conv_out.bias"):
        mixed = own * SILENCE
        mixed[places] = theirs
    else:
        raise ValueError(f"{name}: has the shape {tuple(theirs.shape)} there and {tuple(own.shape)} here")
    return mixed
