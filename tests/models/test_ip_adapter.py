"""IP-Adapter: a picture beside the prompt."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from diffsynth_blender.models.checkpoint import Checkpoint, CheckpointError, CheckpointRequest, load_checkpoint
from tests.tiny_model import save_tiny_model

CPU = torch.device("cpu")
IMAGE_CHANNELS = 24
TOKENS = 4


@dataclass(frozen=True)
class Folders:
    """A model and an IP-Adapter that fits it."""

    model: Path
    adapter: Path
    weights: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Folders:
    model = save_tiny_model(tmp_path_factory.mktemp("model"))
    adapter = tmp_path_factory.mktemp("adapter")
    network = load_checkpoint(CheckpointRequest(str(model)), device=CPU, dtype=torch.float32).network
    channels = network.config.cross_attention_dim
    torch.manual_seed(0)
    weights = {
        "image_proj.proj.weight": torch.randn(TOKENS * channels, IMAGE_CHANNELS),
        "image_proj.proj.bias": torch.randn(TOKENS * channels),
        "image_proj.norm.weight": torch.ones(channels),
        "image_proj.norm.bias": torch.zeros(channels),
    }
    for i, name in enumerate(network.attn_processors):
        if "attn2" in name:
            hidden = network.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
            for kind in "kv":
                weights[f"ip_adapter.{i}.to_{kind}_ip.weight"] = torch.randn(hidden, channels)
    save_file(weights, adapter / "ip-adapter.safetensors")
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        projection_dim=IMAGE_CHANNELS,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(adapter / "image_encoder")
    return Folders(model, adapter, weights)


def load(folders: Folders, adapter: Path | None) -> Checkpoint:
    request = CheckpointRequest(str(folders.model), ip_adapter=adapter)
    return load_checkpoint(request, device=CPU, dtype=torch.float32)


def predict(model: Checkpoint, image: Image.Image | None, scale: float) -> torch.Tensor:
    """What the U-Net says of the same noise and prompt."""
    generator = torch.Generator().manual_seed(0)
    latents, text = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 5, 32, generator=generator)
    if image is None:
        return model.network(latents, 500, text).sample
    for processor in model.network.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale]
    pixels = model.feature_extractor(images=image, return_tensors="pt").pixel_values
    embedding = model.image_encoder(pixels).image_embeds
    return model.network(latents, 500, text, added_cond_kwargs={"image_embeds": [embedding[:, None]]}).sample


def test_a_picture_changes_what_the_network_says(folders):
    """Other pictures, other predictions; at scale 0 it is the network without the adapter."""
    plain, model = load(folders, None), load(folders, folders.adapter)
    assert plain.image_encoder is None and plain.feature_extractor is None
    without = predict(plain, None, 0.0)
    red, blue = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    torch.testing.assert_close(predict(model, red, 0.0), without, atol=1e-5, rtol=1e-5)
    assert (predict(model, red, 1.0) - without).abs().max() > 1e-3
    assert (predict(model, red, 1.0) - predict(model, blue, 1.0)).abs().max() > 1e-4


def test_the_adapter_is_ready_for_inference(folders):
    """Frozen, in evaluation mode, with a picture size from its encoder."""
    model = load(folders, folders.adapter)
    for part in (model.network, model.image_encoder):
        assert not part.training and not any(parameter.requires_grad for parameter in part.parameters())
    pixels = model.feature_extractor(images=Image.new("RGB", (40, 30)), return_tensors="pt").pixel_values
    assert pixels.shape == (1, 3, 28, 28)


@pytest.fixture(scope="module")
def shelves(folders, tmp_path_factory) -> Path:
    """The same adapter as ComfyUI keeps it: files on shelves, the image encoder among others on another shelf."""
    root = tmp_path_factory.mktemp("models")
    (root / "ipadapter").mkdir()
    (root / "clip_vision").mkdir()
    for name in ("one", "two"):
        save_file(folders.weights, root / "ipadapter" / f"{name}.safetensors")
    for name, projection in (("another", 16), ("fitting", IMAGE_CHANNELS)):
        config = CLIPVisionConfig(
            hidden_size=1280,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=16,
            image_size=28,
            patch_size=14,
            projection_dim=projection,
            hidden_act="gelu",
        )
        encoder = CLIPVisionModelWithProjection(config).eval()
        weights = dict(encoder.state_dict()) | {"vision_model.embeddings.position_ids": torch.arange(5)[None]}
        save_file(weights, root / "clip_vision" / f"{name}.safetensors")
        if name == "fitting":
            encoder.save_pretrained(root / "image_encoder")
    return root


def test_the_shelves_of_comfyui(folders, shelves, tmp_path):
    """A file of several, with the encoder that fits it: the same picture as from the folder of the diffusers layout."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    save_file(folders.weights, adapter / "one.safetensors")
    (adapter / "image_encoder").symlink_to(shelves / "image_encoder")
    red = Image.new("RGB", (40, 30), "red")
    expected = predict(load(folders, adapter), red, 1.0)
    model = load(folders, shelves / "ipadapter" / "two.safetensors")
    torch.testing.assert_close(predict(model, red, 1.0), expected)
    assert not any(parameter.requires_grad for parameter in model.image_encoder.parameters())


def test_shelves_without_the_fitting_encoder(folders, shelves, tmp_path):
    """Named with what to put where; one whose size is not known, too."""
    for name in ("ipadapter", "clip_vision"):
        (tmp_path / name).mkdir()
    file = tmp_path / "ipadapter" / "one.safetensors"
    save_file(folders.weights, file)
    (tmp_path / "clip_vision" / "a.safetensors").symlink_to(shelves / "clip_vision" / "another.safetensors")
    with pytest.raises(CheckpointError, match=f"no image encoder that makes {IMAGE_CHANNELS} numbers"):
        load(folders, file)
    strange = {"visual_projection.weight": torch.zeros(IMAGE_CHANNELS, 8)}
    save_file(strange, tmp_path / "clip_vision" / "b.safetensors")
    with pytest.raises(CheckpointError, match=r"b\.safetensors: no image encoder that is known"):
        load(folders, file)


def copy_without(folders: Folders, target: Path, weights: dict[str, torch.Tensor]) -> Path:
    """An adapter's folder of other weights and the same image encoder."""
    save_file(weights, target / "ip-adapter.safetensors")
    (target / "image_encoder").symlink_to(folders.adapter / "image_encoder")
    return target


def test_an_adapter_of_another_family_is_refused(folders, tmp_path):
    """Its keys are made from texts of other channels."""
    wide = {name: t if "image_proj" in name else torch.zeros(len(t), 768) for name, t in folders.weights.items()}
    with pytest.raises(CheckpointError, match=r"\[768\] channels, those of sd15 32"):
        load(folders, copy_without(folders, tmp_path, wide))


def test_a_transformer_has_no_place_for_it(folders, tmp_path):
    """Stable Diffusion 3 is refused before anything is read."""
    model = save_tiny_model(tmp_path, "sd3")
    request = CheckpointRequest(str(model), ip_adapter=folders.adapter)
    with pytest.raises(CheckpointError, match="sd15, sd2 or sdxl"):
        load_checkpoint(request, device=CPU, dtype=torch.float32)


def test_what_is_missing_is_named(folders, tmp_path):
    """The folder, its weights, one of them, the image encoder; and a file that runs code is refused."""
    with pytest.raises(CheckpointError, match="none: no such folder"):
        load(folders, tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"no \.safetensors file"):
        load(folders, tmp_path)
    (tmp_path / "ip-adapter.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="can run any program"):
        load(folders, tmp_path)
    save_file(folders.weights, tmp_path / "ip-adapter.safetensors")
    with pytest.raises(CheckpointError, match="image_encoder"):
        load(folders, tmp_path)
    copy_without(
        folders, tmp_path, {name: t for name, t in folders.weights.items() if not name.endswith("v_ip.weight")}
    )
    with pytest.raises(CheckpointError, match=r"ip-adapter\.safetensors: cannot be added"):
        load(folders, tmp_path)
    save_file({}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"several IP-Adapters \(ip-adapter\.safetensors, other\.safetensors\)"):
        load(folders, tmp_path)
