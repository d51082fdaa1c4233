"""Where the ControlNet of the tile starts from: it reads the latents of the picture it is given.

What embeds a ControlNet's picture usually learns from nothing, and for hundreds of steps the net hears noise. Of the
tile we know what is worth hearing: the latents of the frame, free of noise. The embedding is set so that its output is
what the net's first convolution would make of them, and that convolution so that the noisy latents are silent beside
them. From there both are trained like all others.

Every signal runs beside its negative, because silu(x) - silu(-x) = x. Four, eight, sixteen and thirty-two signals fit
between two halvings, so that of the finest coefficients a part is lost: all of the brightness of 2x2 pixels passes, its
best fourteen parts of 4x4, and colour as the means of 2x2 and 4x4.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import ControlNetModel
from torch import nn

from .train_encoder import BLUE, LUMA, RED, block_functionals, set_rows, taps

QUARTER_LUMA = 14
"""Parts of the brightness of 4x4 pixels that are kept; two signals more are its colours."""


def set_tile_embedding(net: ControlNetModel, spread: np.ndarray) -> None:
    """Set what embeds a ControlNet's picture, in place, so that the net hears the latents of that picture.

    Args:
        net: its embedding halves three times, (8, 16, 32, 64) channels wide; its picture is in [0, 1].
        spread: the encoder's divisors of the latents, see train_encoder.measure_spread, shape (channels,).
    """
    embedding = net.controlnet_cond_embedding
    _set_paired(embedding.conv_in, np.eye(3)[:, None, None, :], is_first=True)
    with torch.no_grad():  # 2 x - 1 of each colour, and its negative
        embedding.conv_in.weight[:6] *= 2.0
        embedding.conv_in.bias[:6] = torch.tensor((-1.0, 1.0)).repeat(3)
    for level, signals in enumerate(_signals(spread)):
        same, halve = embedding.blocks[2 * level : 2 * level + 2]
        _set_paired(same, np.eye(signals.shape[-1])[:, None, None, :])
        _set_paired(halve, signals)
    _read_as_latents(embedding.conv_out, net.conv_in)


def _signals(spread: np.ndarray) -> list[np.ndarray]:
    """What each halving makes of the signals before it, arrays (out, 2, 2, in)."""
    colours = np.array([LUMA, BLUE, RED])
    # From functions of the colours to functions of brightness and the two chromas, (K, Y, X, y, x, component).
    latents = (
        (block_functionals(spread) @ np.linalg.inv(colours)).reshape(-1, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5)
    )
    luma = latents[..., 0].reshape(-1, 2, 2, 16)
    basis = np.linalg.svd(luma.reshape(-1, 16), full_matrices=False)[2][:QUARTER_LUMA]
    of_2 = np.zeros((6, 2, 2, 3))
    for number, place in enumerate(np.ndindex(2, 2)):
        of_2[number][place] = LUMA
    of_2[4:] = colours[1:, None, None, :] / 4
    of_4 = np.zeros((QUARTER_LUMA + 2, 2, 2, 6))
    of_4[:QUARTER_LUMA, :, :, :4] = basis.reshape(-1, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 2, 2, 4)
    of_4[-2, :, :, 4] = of_4[-1, :, :, 5] = 0.25
    of_8 = np.concatenate([luma @ basis.T, latents[..., 1:].sum(axis=(3, 4))], axis=-1)
    return [of_2, of_4, of_8]


def _set_paired(conv: nn.Conv2d, signals: np.ndarray, *, is_first: bool = False) -> None:
    """Signals (out, y, x, in) between pairs of channels; what they leave free keeps its random weights.

    `is_first`: what comes in is not paired yet.
    """
    entries: dict[tuple[int, int, int, int], float] = {}
    for (o, i, y, x), value in taps(signals, corner=1).items():
        for sign, out in ((value, 2 * o), (-value, 2 * o + 1)):
            if is_first:
                entries[out, i, y, x] = sign
            else:
                entries[out, 2 * i, y, x], entries[out, 2 * i + 1, y, x] = sign, -sign
    set_rows(conv, 2 * len(signals), entries)


@torch.no_grad()
def _read_as_latents(out: nn.Conv2d, conv_in: nn.Conv2d) -> None:
    """Let `out` make of pairs of latents what `conv_in` makes of latents, and silence `conv_in`."""
    count = conv_in.in_channels
    out.weight.zero_()
    out.weight[:, 0 : 2 * count : 2] = conv_in.weight
    out.weight[:, 1 : 2 * count : 2] = -conv_in.weight
    out.bias.zero_()
    conv_in.weight.zero_()
