"""The optimisers of training: AdamW; or, for a model of many matrices, Muon for these and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import nn

BETAS = (0.9, 0.99)


class AdamWithMuon:
    """Muon (Jordan et al. 2024) for the weights of convolutions and linear layers, AdamW for everything else.

    Muon gives all directions of a matrix the same pull, so that the few strong ones do not set the pace; its steps are
    made as long as AdamW's (Liu et al. 2025), so that one learning rate suits both. A convolution is a matrix of its
    outputs by all that each of them reads. Torch's own class wants matrices: it gets views of the weights.
    """

    def __init__(self, module: nn.Module, *, rate: float, weight_decay: float, threads: int = 1) -> None:
        """`module` lies on its device and in its memory format; a step is divided between `threads`.

        Raises ValueError where that is neither torch's usual one nor channels_last.
        """
        layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        weights = [layer.weight for layer in layers if layer.weight.requires_grad]
        self._matrices = [(weight, nn.Parameter(_as_matrix(weight.data, weight))) for weight in weights]
        if any(weight.data_ptr() != matrix.data_ptr() for weight, matrix in self._matrices):
            raise ValueError("a weight lies in memory in an order of which there is no view as a matrix")
        are_matrices = set(weights)
        rest = [one for one in module.parameters() if one.requires_grad and one not in are_matrices]
        self._adam = make_adam(rest, rate=rate, weight_decay=weight_decay)
        # The largest first, each to the thread that has the least to do.
        self._shares: list[list[tuple[nn.Parameter, nn.Parameter]]] = [[] for _ in range(threads)]
        for pair in sorted(self._matrices, key=lambda pair: _work(pair[1]), reverse=True):
            min(self._shares, key=lambda some: sum(_work(matrix) for _, matrix in some)).append(pair)
        self._muons = [
            torch.optim.Muon(
                [matrix for _, matrix in share], lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
            )
            for share in self._shares
        ]
        self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Of all, to set the learning rate."""
        return [group for one in (self._adam, *self._muons) for group in one.param_groups]

    def step(self) -> None:
        """Move all weights by the gradients that are in the module."""
        list(self._pool.map(self._step_of_share, range(len(self._shares))))
        self._adam.step()

    def _step_of_share(self, number: int) -> None:
        for weight, matrix in self._shares[number]:
            matrix.grad = None if weight.grad is None else _as_matrix(weight.grad, weight)
        self._muons[number].step()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes, whatever the number of threads."""
        momenta = {matrix: state["momentum_buffer"] for one in self._muons for matrix, state in one.state.items()}
        return {"adam": self._adam.state_dict(), "momenta": [momenta.get(matrix) for _, matrix in self._matrices]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier state."""
        self._adam.load_state_dict(state["adam"])
        momenta = {pair[1]: value for pair, value in zip(self._matrices, state["momenta"], strict=True)}
        for share, one in zip(self._shares, self._muons, strict=True):
            for _, matrix in share:
                if momenta[matrix] is not None:
                    one.state[matrix]["momentum_buffer"] = momenta[matrix].to(matrix.device)


def _work(matrix: torch.Tensor) -> int:
    """Roughly, of orthogonalising a matrix."""
    return matrix.numel() * min(matrix.shape)


def _as_matrix(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A weight or its gradient as (outputs, inputs), in the order in which the weight lies in memory: of it a view."""
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        values = values.permute(0, 2, 3, 1)
    return values.reshape(len(values), -1)


def make_adam(parameters: Sequence[nn.Parameter], *, rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW as every stage uses it."""
    return torch.optim.AdamW(parameters, lr=rate, betas=BETAS, weight_decay=weight_decay)
