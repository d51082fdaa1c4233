"""Models in one file, in the layout of the original programs."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, ControlNetUnionModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.header import Header, read_header
from diffsynth_blender.models.recognise import file_family, read_json
from diffsynth_blender.models.single_file import CONFIGS
from diffsynth_blender.models.text_weights import clip_weights, open_clip_weights
from tests.models import original_layout as original
from tests.models.tiny_files import FAMILIES, TinyFile, save_tiny_file

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request, tmp_path_factory) -> TinyFile:
    return save_tiny_file(tmp_path_factory.mktemp(request.param), request.param)


def load(path: Path, configs: Path = CONFIGS, **options):
    return load_checkpoint(CheckpointRequest(str(path), **options), device=CPU, dtype=torch.float32, configs=configs)


def rewritten(tiny: TinyFile, path: Path, *, drop: str = "", add=None, metadata=None) -> Path:
    """The tiny file without the tensors whose names begin with `drop`, and with others."""
    weights = {name: t for name, t in tiny.weights.items() if not (drop and name.startswith(drop))}
    save_file(weights | (add or {}), path, metadata=metadata)
    return path


def test_file_and_folder_give_the_same_parts(tiny):
    """Every weight of every part is bit-equal, the scheduler the same, and a text has the same tokens."""
    folder, file = load(tiny.folder), load(tiny.path, tiny.configs)
    assert file.family == folder.family
    pairs = [(file.network, folder.network), (file.vae, folder.vae)]
    pairs += zip(file.text_encoders, folder.text_encoders, strict=True)
    for ours, theirs in pairs:
        assert type(ours) is type(theirs) and not ours.training
        expected = theirs.state_dict()
        assert ours.state_dict().keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.state_dict().items())
    assert file.scheduler_config == folder.scheduler_config
    for ours, theirs in zip(file.tokenizers, folder.tokenizers, strict=True):
        text = "a photo of a cat"
        assert ours(text, padding="max_length").input_ids == theirs(text, padding="max_length").input_ids


def test_parts_from_a_file_compute_the_same(tiny):
    """What is not among the weights is there too: position numbers, activation, scaling."""
    folder, file = load(tiny.folder), load(tiny.path, tiny.configs)
    ids = torch.tensor([[49406, 320, 1125, 539, 49407]])
    for ours, theirs in zip(file.text_encoders, folder.text_encoders, strict=True):
        assert torch.equal(ours(ids)[0], theirs(ids)[0])
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(file.vae.decode(latents)[0], folder.vae.decode(latents)[0])


@pytest.mark.parametrize(
    "part, name",
    [("model.diffusion_model.", "U-Net"), ("first_stage_model.", "VAE"), ("con", "text encoder")],
)
def test_a_missing_part_of_a_file_is_named(tiny, tmp_path, part, name):
    """A U-Net alone, or a file without its VAE, is no model."""
    with pytest.raises(CheckpointError, match=name):
        load(rewritten(tiny, tmp_path / "part.safetensors", drop=part), tiny.configs)


def test_a_missing_weight_is_named(tiny, tmp_path):
    """No weight is left as it happens to be in memory."""
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    with pytest.raises(CheckpointError, match=r"lacks 1 weights, mid_block\.resnets\.0\.conv1\.weight"):
        load(rewritten(tiny, tmp_path / "part.safetensors", drop=name), tiny.configs)


def test_another_size_of_a_family_is_refused(tiny):
    """The shipped configurations are of the real sizes: a tiny file does not fit them, and nothing is cut to fit."""
    with pytest.raises(CheckpointError, match="architecture"):
        load(tiny.path)


@pytest.mark.parametrize(
    "marker, metadata, prediction_type",
    [
        ({}, {"modelspec.prediction_type": "v"}, "v_prediction"),
        ({}, {"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ({"v_pred": torch.empty(0)}, None, "v_prediction"),
    ],
)
def test_the_file_says_what_it_predicts(tiny, tmp_path, marker, metadata, prediction_type):
    """A marker among the weights or the metadata decides, whatever is usual in the family."""
    path = rewritten(tiny, tmp_path / "said.safetensors", add=marker, metadata=metadata)
    assert load(path, tiny.configs).scheduler_config["prediction_type"] == prediction_type


def test_what_is_usual_in_the_family_where_the_file_says_nothing():
    """The shipped configurations predict noise, but for 2.1 at 768 pixels, which predicts v."""
    usual = {family: read_json(CONFIGS / family / "scheduler" / "scheduler_config.json") for family in FAMILIES}
    assert {family: config["prediction_type"] for family, config in usual.items()} == {
        "sd15": "epsilon", "sd2": "v_prediction", "sdxl": "epsilon",
    }  # fmt: skip


def test_noise_down_to_no_signal_is_kept(tiny, tmp_path):
    """A model trained with zero terminal signal says so by a marker, and its schedule ends there."""
    markers = {"v_pred": torch.empty(0), "ztsnr": torch.empty(0)}
    config = load(rewritten(tiny, tmp_path / "z.safetensors", add=markers), tiny.configs).scheduler_config
    assert config["rescale_betas_zero_snr"] and config["timestep_spacing"] == "trailing"


@pytest.mark.parametrize(
    "name, what",
    [
        ("lora_unet_down_blocks_0.lora_down.weight", "LoRA"),
        ("control_model.zero_convs.0.0.weight", "ControlNet"),
        ("image.weight", "no U-Net"),
        ("model.diffusion_model.joint_blocks.0.weight", "folder in the diffusers layout"),
        ("model.diffusion_model.double_blocks.0.weight", "Flux"),
        ("down_blocks.0.weight", "only a U-Net"),
    ],
)
def test_a_file_of_another_kind_is_called_by_name(tmp_path, name, what):
    """The message says what was given in place of a model."""
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(2, 2)}, path)
    with pytest.raises(CheckpointError, match=f"other.safetensors.*{what}"):
        load(path)


def test_models_that_edit_pictures_are_refused(tiny, tmp_path):
    """An inpainting model's U-Net takes a mask and a picture besides the latents."""
    name = "model.diffusion_model.input_blocks.0.0.weight"
    wide = torch.zeros(tiny.weights[name].shape[0], 9, 3, 3)
    with pytest.raises(CheckpointError, match="inpainting"):
        load(rewritten(tiny, tmp_path / "inpainting.safetensors", add={name: wide}), tiny.configs)


@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".bin"])
def test_files_that_can_run_code_are_refused(tmp_path, ending):
    """The reason is in the message, and the file is not opened."""
    with pytest.raises(CheckpointError, match="can run any program"):
        load(tmp_path / f"model{ending}")


def test_a_file_cut_short_is_refused(tiny, tmp_path):
    """A download that broke off is told from its length; so is a page of HTML in its place."""
    path = tmp_path / "cut.safetensors"
    path.write_bytes(tiny.path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        load(path)
    path.write_text("<html>not found</html>")
    with pytest.raises(CheckpointError, match="cut short"):
        load(path)
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path / "none.safetensors")


def test_the_header_is_read_without_the_weights(tiny):
    """Names and shapes are those of the file."""
    assert read_header(tiny.path).shapes == {name: tuple(tensor.shape) for name, tensor in tiny.weights.items()}


# What follows needs no weights: the real sizes, on the meta device.

MODELS = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "controlnet": ControlNetModel,
    "controlnet_union": ControlNetUnionModel,
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
}
# Weights in all [millions], as published with the models; tensors of the U-Nets as in their files.
MILLIONS = {
    "sd15/unet": 859.5, "sd15/vae": 83.7, "sd15/text_encoder": 123.1, "sd15/controlnet": 361.3,
    "sd2/unet": 865.9, "sd2/vae": 83.7, "sd2/text_encoder": 340.4, "sd2/controlnet": 364.2,
    "sdxl/unet": 2567.5, "sdxl/vae": 83.7, "sdxl/text_encoder": 123.1, "sdxl/text_encoder_2": 694.7,
    "sdxl/controlnet": 1251.0, "sdxl/controlnet_union": 1256.0,
}  # fmt: skip


def full_size(name: str):
    """A network of a shipped configuration, without memory for its weights."""
    folder = CONFIGS / name
    model_class = MODELS[folder.name]
    with torch.device("meta"):
        if folder.name.startswith("text_encoder"):
            return model_class(CLIPTextConfig.from_pretrained(folder))
        return model_class.from_config(read_json(folder / "config.json"))


def test_every_configuration_is_checked():
    """The table below leaves none out."""
    shipped = {str(path.parent.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*/config.json")}
    assert shipped == MILLIONS.keys()


@pytest.mark.parametrize("name", MILLIONS)
def test_shipped_configurations_have_the_published_sizes(name):
    """The number of weights is the architecture's."""
    count = sum(parameter.numel() for parameter in full_size(name).parameters())
    assert round(count / 1e6, 1) == MILLIONS[name]


# From the files themselves: how many tensors the U-Net has, and one that tells where its levels lie.
LANDMARKS = {
    "sd15": (686, "output_blocks.11.1.transformer_blocks.0.attn2.to_k.weight", (320, 768)),
    "sd2": (686, "middle_block.1.proj_in.weight", (1280, 1280)),
    "sdxl": (1680, "middle_block.1.transformer_blocks.9.attn2.to_k.weight", (1280, 2048)),
}


@pytest.mark.parametrize("family", LANDMARKS)
def test_the_original_layout_covers_every_weight(family):
    """In the original layout at full size, every name and shape leads to one of the network, none is left."""
    unet = full_size(f"{family}/unet")
    shapes = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    written = original.unet(unet.state_dict(), unet.config.layers_per_block)
    count, landmark, shape = LANDMARKS[family]
    assert len(written) == len(shapes) == count
    assert tuple(written[f"model.diffusion_model.{landmark}"].shape) == shape
    config = read_json(CONFIGS / family / "unet" / "config.json")
    read = {name: tuple(tensor.shape) for name, tensor in convert_ldm_unet_checkpoint(written, config).items()}
    assert read == shapes
    header = Header(Path("full.safetensors"), {name: tuple(t.shape) for name, t in written.items()}, {})
    assert file_family(header) == family


def test_the_original_vae_is_covered():
    """The VAE is the same in all families but for its scaling."""
    vae = full_size("sdxl/vae")
    shapes = {name: tuple(tensor.shape) for name, tensor in vae.state_dict().items()}
    written = original.vae(vae.state_dict())
    assert len(written) == 248
    assert tuple(written["first_stage_model.encoder.mid.attn_1.q.weight"].shape) == (512, 512, 1, 1)
    read = convert_ldm_vae_checkpoint(written, read_json(CONFIGS / "sdxl" / "vae" / "config.json"))
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == shapes


@pytest.mark.parametrize(
    "name, count", [("sd15/text_encoder", 196), ("sd2/text_encoder", 372), ("sdxl/text_encoder_2", 517)]
)
def test_the_original_text_encoders_are_covered(name, count):
    """OpenAI's and OpenCLIP's: every weight of the encoder is found, and nothing else."""
    encoder = full_size(name)
    shapes = {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
    assert len(shapes) == count
    weights, prefix = encoder.state_dict(), "encoder."
    if name == "sd15/text_encoder":
        read = clip_weights(original.clip(weights, prefix), prefix, type(encoder))
    else:
        written = original.open_clip(weights, prefix, one_layer_more=name == "sd2/text_encoder")
        width = encoder.config.hidden_size
        assert tuple(written[f"{prefix}transformer.resblocks.0.attn.in_proj_weight"].shape) == (3 * width, width)
        read = open_clip_weights(written, prefix, type(encoder), encoder.config)
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == shapes


def test_shipped_configurations_hold_known_keys_only():
    """A shipped configuration is read as any folder's: unknown keys would be mistakes."""
    for name in MILLIONS:
        if not name.split("/")[1].startswith("text_encoder"):
            network, config = full_size(name), json.loads((CONFIGS / name / "config.json").read_text())
            assert config.pop("_class_name") == type(network).__name__
            assert config.keys() <= network.config.keys()
