"""The tiny autoencoder's encoder: the same linear map as the demo model's own, in plain convolutions.

The demo model's encoder takes linear functionals of each 8x8 block (train_encoder.py). A tiny autoencoder
without residual blocks is linear too, so nothing has to be learnt: the functionals are read off and laid out again.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from .train_encoder import set_conv, taps

LATENT_SCALE = 8.0
"""The tiny autoencoder's own latents are smaller by this much: its decoder bends what is not small beside 3."""


@torch.no_grad()
def read_functionals(vae: AutoencoderKL) -> np.ndarray:
    """Each latent as a function of the 8x8 pixels of its block in [-1, 1], shape (channels, 8, 8, 3).

    Raises ValueError where the encoder is anything else than such functions.
    """
    lit = torch.eye(192).view(192, 8, 8, 3).permute(0, 3, 1, 2)
    answers = vae.encode(lit).latent_dist.mode()[:, :, 0, 0]
    functionals = answers.double().numpy().T.reshape(-1, 8, 8, 3)
    noise = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    kernel = torch.from_numpy(functionals).permute(0, 3, 1, 2).float()
    expected = torch.nn.functional.conv2d(noise, kernel, stride=8)
    error = float((vae.encode(noise).latent_dist.mode() - expected).abs().max())
    if error > 0.01:
        raise ValueError(f"the encoder is no function of 8x8 blocks: it differs from one by {error:.3f}")
    return functionals


def encoder_width(functionals: np.ndarray) -> int:
    """Channels that the encoder needs: what is read of a quarter of a block, in the most compact form."""
    return len(_quarters(functionals)[1])


def set_tiny_encoder(vae: AutoencoderTiny, functionals: np.ndarray) -> None:
    """Set the weights of the encoder in place; it takes colours in [0, 1] and divides by `LATENT_SCALE`."""
    first, half, quarter, eighth, last = vae.encoder.layers
    in_basis, basis = _quarters(functionals)
    count, width = in_basis.shape[0], len(basis)
    set_conv(first, {(c, c, 1, 1): 1.0 for c in range(3)})
    # 2x2 pixels of 3 colours become 12 channels, in the order y, x, colour.
    set_conv(half, {(6 * y + 3 * x + c, c, 1 + y, 1 + x): 1.0 for y, x, c in np.ndindex(2, 2, 3)})
    by_quarter = basis.reshape(width, 2, 2, 2, 2, 3).transpose(0, 1, 3, 2, 4, 5)  # (R, Y, X, y, x, c)
    set_conv(quarter, taps(by_quarter.reshape(width, 2, 2, 12), corner=1))
    set_conv(eighth, taps(in_basis.reshape(count, 2, 2, width), corner=1))
    set_conv(last, {(k, k, 1, 1): 2.0 / LATENT_SCALE for k in range(count)})
    with torch.no_grad():
        last.bias.copy_(torch.from_numpy(-functionals.sum(axis=(1, 2, 3)) / LATENT_SCALE))


def _quarters(functionals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Functionals by quarters (channels, 2, 2, R) of an orthonormal basis (R, 48) over 4x4 pixels."""
    quarters = functionals.reshape(-1, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 48)
    _, weight, basis = np.linalg.svd(quarters, full_matrices=False)
    basis = basis[weight > 1e-5 * weight[0]]
    return (quarters @ basis.T).reshape(len(functionals), 2, 2, -1), basis
