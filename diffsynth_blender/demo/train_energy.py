"""What a model that goes its own way is judged by: an energy score of patches.

A squared error is least at the mean of all pictures that could be: gold without its glints, hatching without its
strokes. An energy score judges two samples at a time, by how far they are from the truth and how near to each other,
and is least where samples are spread as truths are (Gneiting & Raftery 2007, section 4.3). Denoisers that make few
steps have been trained with it, weighting the second part (De Bortoli et al. 2025, arXiv 2502.02483), whole pictures at
a time. Between pictures nearly all distances are alike, so here it is that of small patches, where the truth is one of
few.
"""

from collections.abc import Callable

import torch
from torch.nn import functional

from .train_decoder import gradients_at_scales

REPULSION = 0.5
"""Share of what a proper score takes off for samples that are apart: with a half, samples of a normal distribution are
best where they are spread 0.38 times as far as truths, with none where all are their mean. With all of it so small a
model does spread them as far, but not where truths lie: glints come back, plain surfaces get patches, lines break."""
LATENT_PATCH = 2
"""Side in latents."""
PICTURE_PATCH = 4
"""Side in pixels, at each of the scales."""
SMALLEST = 1e-6
"""Of a mean square: the root of nothing has no slope."""


def energy_score(
    first: torch.Tensor,
    second: torch.Tensor,
    wanted: torch.Tensor,
    distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """How far two samples are from the truth in the mean, less REPULSION / 2 of how far they are from each other."""
    return (distance(first, wanted) + distance(second, wanted) - REPULSION * distance(first, second)) / 2


def latent_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean distance of the patches of latents (B, C, h, w)."""
    return patch_distance(a - b, LATENT_PATCH)


def picture_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean distance of the patches of pictures (B, 3, H, W), plus that of their gradients at each scale."""
    error = a - b
    distance = patch_distance(error, PICTURE_PATCH)
    for gradient in gradients_at_scales(error):
        distance = distance + patch_distance(gradient, PICTURE_PATCH)
    return distance


def patch_distance(error: torch.Tensor, side: int) -> torch.Tensor:
    """Mean over all patches, half overlapping, of the root of their mean square; a scalar."""
    squares = error.square().mean(dim=1, keepdim=True)
    return (functional.avg_pool2d(squares, side, stride=side // 2) + SMALLEST).sqrt().mean()
