"""A VAE of its own in place of the model's: from a folder, and from files in both layouts."""

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.recognise import VAE_PREFIX
from tests.models import original_layout as original
from tests.models.tiny_files import save_tiny_file

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny_file(tmp_path_factory.mktemp("model"), "sd15")


def other(tiny, **changes) -> AutoencoderKL:
    """A VAE as the model's, of other weights, whose latents are scaled otherwise."""
    torch.manual_seed(7)
    config = {**load(tiny, None).config, "scaling_factor": 0.9} | changes
    return AutoencoderKL.from_config(config).eval()


def load(tiny, path) -> AutoencoderKL:
    request = CheckpointRequest(str(tiny.path), vae=path)
    return load_checkpoint(request, device=CPU, dtype=torch.bfloat16, configs=tiny.configs).vae


@pytest.mark.parametrize("layout", ["folder", "diffusers", "original", "with prefix"])
def test_it_is_used_whatever_its_layout(tiny, tmp_path, layout):
    """Its pictures are its own, in full numbers; the factor of the latents stays the model's."""
    mine = other(tiny)
    path = tmp_path / "vae.safetensors"
    if layout == "folder":
        path = tmp_path / "vae"
        mine.save_pretrained(path)
    else:
        weights = dict(mine.state_dict())
        if layout != "diffusers":
            weights = original.vae(weights)
        if layout == "original":
            weights = {name.removeprefix(VAE_PREFIX): tensor for name, tensor in weights.items()}
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    loaded, own = load(tiny, path), load(tiny, None)
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.decode(latents).sample, mine.decode(latents).sample)
    assert (loaded.decode(latents).sample - own.decode(latents).sample).abs().max() > 1e-3
    assert loaded.config.scaling_factor == own.config.scaling_factor != mine.config.scaling_factor
    assert loaded.dtype == torch.float32 and not any(parameter.requires_grad for parameter in loaded.parameters())


def test_what_is_none_is_refused_in_one_sentence(tiny, tmp_path):
    """A model, a LoRA, latents of other channels in a folder or a file, half a file, one that runs code, nothing."""
    save_file({"lora_unet_x.lora_down.weight": torch.zeros(4, 768)}, tmp_path / "lora.safetensors")
    wide = other(tiny, latent_channels=16)
    wide.save_pretrained(tmp_path / "wide")
    save_file(dict(wide.state_dict()), tmp_path / "wide.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "wide.safetensors").read_bytes()[:-9])
    (tmp_path / "vae.ckpt").touch()
    for path, words in (
        (tiny.path, "this is a model, no VAE"),
        (tiny.folder, "this is a model, no VAE"),
        (tmp_path / "lora.safetensors", "this is a LoRA, no VAE"),
        (tmp_path / "wide", "latents of 16 channels, where this model has 4"),
        (tmp_path / "wide.safetensors", "instead of"),
        (tmp_path / "half.safetensors", "cut short"),
        (tmp_path / "vae.ckpt", "can run any program"),
        (tmp_path / "nothing.safetensors", "cannot be read"),
    ):
        with pytest.raises(CheckpointError, match=words) as refused:
            load(tiny, path)
        assert "\n" not in str(refused.value) and str(path) in str(refused.value)
