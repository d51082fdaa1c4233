"""An encoder that needs no training, and where the decoder's training starts from.

The encoder's weights are set so that latents are low cosine coefficients of 8x8 blocks.

Fifteen of the luma and three of each chroma component, the ones JPEG keeps longest: cut off there, pictures of all
looks keep 32.9 dB (twelve coefficients in all: 30.1, 16: 31.7, 27: 33.9). Latents are then smooth pictures of colour,
slope and detail with known statistics, from which a small decoder and a small diffusion model learn quickly; a
trained encoder of this size had spent all of its short training on brightness and lost green.

The decoder starts as the picture of the blocks' mean colours, interpolated, and learns what is missing.

Everything linear must pass through layers made for something else. Residual branches are switched off by a zero last
convolution. The last group normalisation is kept from normalising by constants that dominate each group, with every
value beside its negative so that means cancel; and silu(x) - silu(-x) = x.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn

LUMA = (0.299, 0.587, 0.114)
BLUE = (-0.1687, -0.3313, 0.5)
RED = (0.5, -0.4187, -0.0813)
COEFFICIENTS = (
    *((LUMA, (down, both - down)) for both in range(5) for down in range(both + 1)),
    *((BLUE, order) for order in ((0, 0), (0, 1), (1, 0))),
    *((RED, order) for order in ((0, 0), (0, 1), (1, 0))),
)
"""Colour weights and (vertical, horizontal) frequency of each latent channel."""
CONSTANT = 32.0
"""Of the channels that dominate a group's variance: latents are about 1, so they change it by a thousandth."""


def block_functionals(spread: np.ndarray) -> np.ndarray:
    """Each latent as a function of the 8x8 pixels of its block, shape (channels, 8, 8, 3), divided by `spread`."""
    position = (2 * np.arange(8) + 1) * np.pi / 16
    wave = [np.cos(k * position) * (1.0 if k == 0 else np.sqrt(2.0)) / 8.0 for k in range(5)]
    rows = [np.einsum("y,x,c->yxc", wave[v], wave[h], np.asarray(colour)) for colour, (v, h) in COEFFICIENTS]
    return np.stack(rows) / spread[:, None, None, None]


def set_encoder(vae: AutoencoderKL, spread: np.ndarray) -> None:
    """Set the weights of the encoder in place.

    Args:
        vae: three halvings, no attention; wide enough for the coefficients (see train_model.make_vae).
        spread: divisor of each coefficient, see `measure_spread`, shape (channels,).
    """
    encoder = vae.encoder
    for block in (*encoder.down_blocks, encoder.mid_block):
        for resnet in block.resnets:
            _switch_off(resnet)
    whole = block_functionals(spread)  # (K, 8, 8, 3)
    # Quarters of blocks need only what some latent reads from them: an orthonormal basis of that.
    quarters = whole.reshape(-1, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 48)
    _, weight, basis = np.linalg.svd(quarters, full_matrices=False)
    basis = basis[weight > 1e-9 * weight[0]]  # (R, 48) over 4x4 pixels
    count = len(whole)
    set_conv(encoder.conv_in, {(c, c, 1, 1): 1.0 for c in range(3)})
    # 2x2 pixels of 3 colours become 12 channels, in the order y, x, colour.
    set_conv(
        encoder.down_blocks[0].downsamplers[0].conv,
        {(6 * y + 3 * x + c, c, y, x): 1.0 for y, x, c in np.ndindex(2, 2, 3)},
    )
    by_quarter = basis.reshape(-1, 2, 2, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5)  # (R, Y, X, y, x, c)
    set_conv(encoder.down_blocks[1].downsamplers[0].conv, taps(by_quarter.reshape(len(basis), 2, 2, 12)))
    in_basis = quarters @ basis.T
    set_conv(encoder.down_blocks[2].downsamplers[0].conv, taps(in_basis.reshape(count, 2, 2, len(basis))))
    _set_output(encoder, count)


def taps(values: np.ndarray, *, corner: int = 0) -> dict[tuple[int, int, int, int], float]:
    """Kernel entries (out, in, y, x) from values (out, y, x, in) that begin at a row and column of the kernel."""
    return {(o, i, corner + y, corner + x): float(values[o, y, x, i]) for o, y, x, i in np.ndindex(values.shape)}


@torch.no_grad()
def set_conv(conv: nn.Conv2d, entries: dict[tuple[int, int, int, int], float]) -> None:
    """Set kernel entries (out, in, y, x) and everything else to zero."""
    conv.weight.zero_()
    if conv.bias is not None:
        conv.bias.zero_()
    for place, value in entries.items():
        conv.weight[place] = value


@torch.no_grad()
def _switch_off(resnet: nn.Module) -> None:
    """Leave only the straight path of a residual block; a change of width keeps the channels' numbers."""
    resnet.conv2.weight.zero_()
    resnet.conv2.bias.zero_()
    if resnet.conv_shortcut is not None:
        width = min(resnet.conv_shortcut.weight.shape[:2])
        set_conv(resnet.conv_shortcut, {(c, c, 0, 0): 1.0 for c in range(width)})


@torch.no_grad()
def _set_output(encoder: nn.Module, count: int) -> None:
    """Lay latents, their negatives and constants out in the groups of the last normalisation, and read them out."""
    shortcut = encoder.down_blocks[-1].resnets[0].conv_shortcut
    norm, out = encoder.conv_norm_out, encoder.conv_out
    size = norm.num_channels // norm.num_groups
    per_group = -(-count // norm.num_groups)
    constants = (size - 2 * per_group) // 2
    if constants < 1:
        raise ValueError(f"{count} latents with their negatives leave no room in {norm.num_groups} groups of {size}")
    deviation = CONSTANT * (2 * constants / size) ** 0.5
    shortcut.weight.zero_()
    shortcut.bias.zero_()
    norm.weight.zero_()
    norm.bias.zero_()
    set_conv(out, {})
    for group in range(norm.num_groups):
        first = group * size
        shortcut.bias[first + size - 2 * constants : first + size - constants] = CONSTANT
        shortcut.bias[first + size - constants : first + size] = -CONSTANT
    for latent in range(count):
        group, slot = divmod(latent, per_group)
        for sign, channel in ((1.0, group * size + 2 * slot), (-1.0, group * size + 2 * slot + 1)):
            shortcut.weight[channel, latent] = sign
            norm.weight[channel] = deviation
            out.weight[latent, channel, 1, 1] = sign
    out.bias[count:] = -10.0  # the posterior's log variance: as good as none


@torch.no_grad()
def set_decoder(vae: AutoencoderKL, spread: np.ndarray) -> None:
    """Start the decoder from interpolated mean colours; all other channels keep their random weights.

    Args:
        vae: like the encoder's, with two normalisation groups: one for the colours, one for what is learnt.
        spread: see `set_encoder`.
    """
    decoder = vae.decoder
    means = [i for i, (_, order) in enumerate(COEFFICIENTS) if order == (0, 0)]
    colours = np.linalg.inv(np.array([LUMA, BLUE, RED]))
    set_rows(decoder.conv_in, 3, {(c, means[k], 1, 1): colours[c, k] * spread[means[k]] for c, k in np.ndindex(3, 3)})
    *blocks, last = decoder.up_blocks
    for resnet in (*decoder.mid_block.resnets, *(resnet for block in blocks for resnet in block.resnets)):
        set_rows(resnet.conv2, 3, {})
        if resnet.conv_shortcut is not None:
            set_rows(resnet.conv_shortcut, 3, {(c, c, 0, 0): 1.0 for c in range(3)})
    tent = np.outer((0.25, 0.5, 0.25), (0.25, 0.5, 0.25))
    for block in blocks:
        conv = block.upsamplers[0].conv
        set_rows(conv, 3, {(c, c, y, x): tent[y, x] for c, y, x in np.ndindex(3, 3, 3)})
    widen = last.resnets[0].conv_shortcut
    set_rows(widen, 8, {(2 * c + n, c, 0, 0): 1.0 - 2.0 * n for c, n in np.ndindex(3, 2)})
    widen.bias[6], widen.bias[7] = CONSTANT, -CONSTANT
    for resnet in last.resnets:
        set_rows(resnet.conv2, 8, {})
    norm, out = decoder.conv_norm_out, decoder.conv_out
    norm.weight[:6] = CONSTANT * 0.5  # the deviation of a group of eight in which two are constants
    norm.weight[6:8] = 0.0
    out.weight[:, :8] = 0.0
    out.weight[:, 8:] *= 0.1  # what is not learnt yet should not cover the colours
    out.bias.zero_()
    for c in range(3):
        out.weight[c, 2 * c, 1, 1], out.weight[c, 2 * c + 1, 1, 1] = 1.0, -1.0


@torch.no_grad()
def set_rows(conv: nn.Conv2d, count: int, entries: dict[tuple[int, int, int, int], float]) -> None:
    """Set the first `count` outputs of a convolution to `entries` and nothing else."""
    conv.weight[:count] = 0.0
    conv.bias[:count] = 0.0
    for place, value in entries.items():
        conv.weight[place] = float(value)


def block_latents(pictures: torch.Tensor, spread: np.ndarray) -> torch.Tensor:
    """What the encoder computes, directly: (B, 3, H, W) in [-1, 1] → (B, channels, H / 8, W / 8)."""
    functionals = torch.from_numpy(block_functionals(spread)).permute(0, 3, 1, 2).float().to(pictures.device)
    return nn.functional.conv2d(pictures, functionals, stride=8)


def measure_spread(pictures: torch.Tensor) -> np.ndarray:
    """Divisor of each coefficient over pictures (B, 3, H, W) in [-1, 1], shape (channels,).

    Colours get a standard deviation of 1, slopes of 0.5 and what is finer of 0.4: under noise, colours should be
    the last to go, and the finest is hardest to guess.
    """
    deviation = block_latents(pictures, np.ones(len(COEFFICIENTS))).std(dim=(0, 2, 3)).double().numpy()
    fineness = np.array([sum(order) for _, order in COEFFICIENTS])
    return deviation * np.select([fineness == 0, fineness == 1], [1.0, 2.0], 2.5)
