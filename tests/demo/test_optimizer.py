"""The optimiser of the diffusion stage: what moves what, in which order of memory, and going on from a state."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from diffsynth_blender.demo.train_optimizer import AdamWithMuon

PICTURES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """One of each kind of weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.GroupNorm(2, 6)
        self.words, self.out = nn.Embedding(5, 6), nn.Linear(6, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (4, 3, H, W) to (4, 4)."""
        features = functional.silu(self.norm(self.conv(pictures))).mean(dim=(2, 3))
        return self.out(features + self.words(torch.arange(len(pictures))))


def trained(net: Net, optimizer: AdamWithMuon, steps: int) -> list[torch.Tensor]:
    """The weights after some steps towards one."""
    for _ in range(steps):
        net.zero_grad()
        (net(PICTURES) - 1).square().mean().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in net.parameters()]


@pytest.fixture
def net() -> Net:
    """The same weights every time."""
    torch.manual_seed(0)
    return Net()


def optimizer_of(net: Net, threads: int = 1) -> AdamWithMuon:
    return AdamWithMuon(net, rate=1e-2, weight_decay=0.0, threads=threads)


def test_all_weights_move_and_the_loss_falls(net: Net) -> None:
    """In the module itself, though Muon moves views of it."""
    before = [parameter.detach().clone() for parameter in net.parameters()]
    first = (net(PICTURES) - 1).square().mean()
    after = trained(net, optimizer_of(net), 40)
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    assert (net(PICTURES) - 1).square().mean() < 0.2 * first


def test_matrices_take_steps_that_are_equally_long_in_all_directions(net: Net) -> None:
    """Muon's mark: the singular values of a first step are alike."""
    before = net.out.weight.detach().clone()
    trained(net, optimizer_of(net), 1)
    values = torch.linalg.svdvals(net.out.weight.detach() - before)
    assert values.max() < 2 * values.min()


def test_the_order_in_memory_does_not_matter(net: Net) -> None:
    """The sum over inputs is the same in any order."""
    other = copy.deepcopy(net).to(memory_format=torch.channels_last)
    for one, two in zip(trained(net, optimizer_of(net), 3), trained(other, optimizer_of(other), 3), strict=True):
        torch.testing.assert_close(one, two, atol=2e-3, rtol=0)  # half precision inside


def test_it_goes_on_from_a_state_with_another_number_of_threads(net: Net) -> None:
    """Three steps and three more are six."""
    whole = copy.deepcopy(net)
    wanted = trained(whole, optimizer_of(whole), 6)
    first = optimizer_of(net)
    trained(net, first, 3)
    second = optimizer_of(net, threads=2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for one, two in zip(wanted, trained(net, second, 3), strict=True):
        torch.testing.assert_close(one, two, atol=1e-6, rtol=0)
