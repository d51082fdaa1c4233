"""A VAE of its own in place of the model's: a folder in the diffusers layout or a .safetensors file of either layout.

The model's own VAE lends its configuration, the factor of its latents included: a file tells none of that.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from safetensors import safe_open

from .errors import CheckpointError
from .header import Header, read_header
from .identify import KIND_NAMES, Identity, identify, identify_file
from .parts import build_network, load_network
from .recognise import VAE_PREFIX

_NOT_WEIGHTS = "loss."


def load_vae(path: Path, own: AutoencoderKL, *, device: torch.device) -> AutoencoderKL:
    """The VAE at a path, float32, with latents as `own` has them.

    Raises CheckpointError where there is none, or one that is made for latents of other channels.
    """
    if path.is_dir():
        _expect(path, identify(path))
        vae = load_network(path, AutoencoderKL, device=device, dtype=torch.float32)
        if vae.config.latent_channels != own.config.latent_channels:
            raise CheckpointError(
                f"{path}: a VAE for latents of {vae.config.latent_channels} channels, where this model has "
                f"{own.config.latent_channels}; use one made for the model's family"
            )
        # One network serves several families, whose latents are scaled differently: the model decides.
        vae.register_to_config(scaling_factor=own.config.scaling_factor, shift_factor=own.config.shift_factor)
        return vae
    header = read_header(path)
    try:
        _expect(path, identify_file(header))
    except CheckpointError as error:  # its remedy is for who wants a model
        raise CheckpointError(f"{str(error).partition(';')[0]}; choose a VAE") from None
    config = dict(own.config)
    return build_network(path, AutoencoderKL, config, _weights(header, config), device=device, dtype=torch.float32)


def _expect(path: Path, identity: Identity) -> None:
    if identity.kind != "vae":
        raise CheckpointError(f"{path}: this is {KIND_NAMES[identity.kind]}, no VAE; choose another")


def _weights(header: Header, config: dict) -> dict[str, torch.Tensor]:
    with safe_open(header.path, framework="pt", device="cpu") as file:
        weights = {name.removeprefix(VAE_PREFIX): file.get_tensor(name) for name in header.shapes}
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith(_NOT_WEIGHTS)}
    if any(name.startswith("decoder.up_blocks.") for name in weights):  # the diffusers layout
        return weights
    try:
        return convert_ldm_vae_checkpoint(weights, config)
    except (KeyError, IndexError, AttributeError) as error:
        raise CheckpointError(f"{header.path}: a VAE of another architecture; use one made for the model") from error
