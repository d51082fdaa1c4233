"""Folders of other programs, made of tiny models in the real layout: found, told apart, loaded, the same picture."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import save_file

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.scan import look_at, scan
from tests.models import original_layout as original
from tests.models.tiny_files import TinyFile, save_tiny_file

CPU = torch.device("cpu")
COMFY = {"base": "checkpoints", "controlnet": "controlnet", "lora": "loras", "vae": "vae", "ip_adapter": "ipadapter"}
A1111 = {"base": "Stable-diffusion", "controlnet": "ControlNet", "lora": "Lora", "vae": "VAE"}
PLAIN = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Shelf:
    """One small model with what is added to it, as files and as diffusers folders."""

    tiny: TinyFile
    controlnet: Path
    """In the layout of lllyasviel's files."""
    controlnet_folder: Path
    lora: Path


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Shelf:
    return make_shelf(tmp_path_factory.mktemp("sd15"), "sd15")


@pytest.fixture(scope="module")
def xl_shelf(tmp_path_factory) -> Shelf:
    return make_shelf(tmp_path_factory.mktemp("sdxl"), "sdxl")


def make_shelf(root: Path, family: str) -> Shelf:
    tiny = save_tiny_file(root, family)
    unet = UNet2DConditionModel.from_pretrained(tiny.folder / "unet")
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
    for name, parameter in net.named_parameters():
        if not parameter.any() and "bias" not in name:
            torch.nn.init.normal_(parameter, std=0.1)
    net.save_pretrained(root / "net")
    net.save_config(tiny.configs / family / "controlnet")
    save_file(original.controlnet(net.state_dict(), 1), root / "control.safetensors")
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    if family == "sdxl":
        layer = layer.replace("down_blocks_0", "down_blocks_1")
    size = unet.config.cross_attention_dim, unet.config.block_out_channels[family == "sdxl"]
    lora = {f"{layer}.lora_down.weight": torch.randn(2, size[0]), f"{layer}.lora_up.weight": torch.randn(size[1], 2)}
    save_file(lora, root / "lora.safetensors")
    return Shelf(tiny, root / "control.safetensors", root / "net", root / "lora.safetensors")


def lay_out(shelf: Shelf, root: Path, places: dict[str, str]) -> Path:
    """The files in the folders of a program, beside what else lies in such folders."""
    names = {
        "base": "dreamlike.safetensors",
        "controlnet": "control_x_depth_fp16.safetensors",
        "lora": "ink.safetensors",
    }
    sources = {"base": shelf.tiny.path, "controlnet": shelf.controlnet, "lora": shelf.lora}
    for kind, place in places.items():
        (root / place).mkdir(parents=True)
        (root / place / "put models here.txt").touch()
        if kind in sources:
            shutil.copy(sources[kind], root / place / names[kind])
    save_file(original.vae(_vae_weights(shelf), ""), root / places["vae"] / "clear.safetensors")
    return root


def _vae_weights(shelf: Shelf) -> dict[str, torch.Tensor]:
    return load_checkpoint(CheckpointRequest(str(shelf.tiny.folder)), device=CPU, dtype=torch.float32).vae.state_dict()


def hub_cache(shelf: Shelf, root: Path) -> Path:
    """As the hub's library lays it out: contents under their hashes, snapshots of links to them."""
    for repository, source in (
        ("tiny--model", shelf.tiny.folder),
        ("tiny--sd-controlnet-depth", shelf.controlnet_folder),
    ):
        home = root / f"models--{repository}"
        snapshot, blobs = home / "snapshots" / ("0" * 40), home / "blobs"
        blobs.mkdir(parents=True)
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text("0" * 40)
        for number, path in enumerate(sorted(path for path in source.rglob("*") if path.is_file())):
            shutil.copy(path, blobs / str(number))
            link = snapshot / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blobs / str(number))
    return root


def found_below(root: Path) -> dict[str, Path]:
    """What a scan recognises, by its kind; nothing is remarked on."""
    found = list(scan(root))
    assert all(item.identity and not item.remark for item in found), found
    kinds = [item.identity.kind for item in found]
    assert len(set(kinds)) == len(kinds)
    return {item.identity.kind: item.path for item in found}


def picture(shelf: Shelf, model: Path, controlnet: Path, *loras: Path) -> torch.Tensor:
    """One step of the model under its control, decoded."""
    request = CheckpointRequest(str(model), (("depth", str(controlnet)),), tuple((str(path), 1.0) for path in loras))
    parts = load_checkpoint(request, device=CPU, dtype=torch.float32, configs=shelf.tiny.configs)
    generator = torch.Generator().manual_seed(0)
    latents, hint = torch.randn(1, 4, 8, 8, generator=generator), torch.rand(1, 3, 64, 64, generator=generator)
    ids = parts.tokenizers[0]("a cat", padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        text = parts.text_encoders[0](ids)[0]
        down, middle = parts.controlnets[0].net(latents, 500, text, hint, return_dict=False)
        options = dict(down_block_additional_residuals=down, mid_block_additional_residual=middle)
        noise = parts.network(latents, 500, text, **options).sample
        return parts.vae.decode(latents - noise)[0]


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """The same picture but for rounding."""
    return torch.allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("places", [COMFY, A1111], ids=["comfyui", "a1111"])
def test_the_folders_of_a_program_give_the_same_picture(shelf, tmp_path, places):
    """Every kind of file is recognised by its header; the picture is that of the diffusers folders.

    Their weights are the same to the bit (test_single_file). Where in memory a file's weights lie decides which kernels
    of the processor are used: 1.3e-6 of -1 to 1 was measured, and a step of 8 bits is 0.008.
    """
    found = found_below(lay_out(shelf, tmp_path / "models", places))
    assert found.keys() == {"base", "controlnet", "lora", "vae"}
    expected = picture(shelf, shelf.tiny.folder, shelf.controlnet_folder)
    assert same(picture(shelf, found["base"], found["controlnet"]), expected)
    changed = picture(shelf, found["base"], found["controlnet"], found["lora"])
    assert same(changed, picture(shelf, shelf.tiny.folder, shelf.controlnet_folder, shelf.lora))
    assert not same(changed, expected)


def test_the_hubs_cache_gives_the_same_picture(shelf, tmp_path):
    """A model is one thing and not its parts; a ControlNet's kind is in its repository's name."""
    root = hub_cache(shelf, tmp_path / "hub")
    found = found_below(root)
    assert found.keys() == {"base", "controlnet"}
    assert {item.identity.control for item in scan(root)} == {"", "depth"}
    expected = picture(shelf, shelf.tiny.folder, shelf.controlnet_folder)
    assert torch.equal(picture(shelf, found["base"], found["controlnet"]), expected)


def test_families_are_told_apart(shelf, xl_shelf):
    """Of models and ControlNets, at any size; the kind of a control is in the name."""
    for family, one in (("sd15", shelf), ("sdxl", xl_shelf)):
        assert look_at(one.tiny.path).identity.family == family
        assert look_at(one.tiny.folder).identity.family == family
        assert look_at(one.controlnet).identity.family == family
        assert look_at(one.controlnet_folder).identity.family == family


@pytest.mark.parametrize(
    "name, control",
    [("control_v11f1p_sd15_depth_fp16", "depth"), ("control_v11p_sd15_normalbae", "normal"), ("t_softedge", "softedge"),
     ("control_v11f1e_sd15_tile", "tile"), ("my net", "")],
)  # fmt: skip
def test_the_kind_of_a_control_is_in_the_name(shelf, tmp_path, name, control):
    """By the habit of those who publish them."""
    shutil.copy(shelf.controlnet, path := tmp_path / f"{name}.safetensors")
    assert look_at(path).identity.control == control


@pytest.mark.parametrize("channels, family", [(768, "sd15"), (1024, "sd2"), (2048, "sdxl")])
def test_a_loras_family_is_in_the_text_it_reads(tmp_path, channels, family):
    """Cross-attention's keys have as many columns as the family's text."""
    name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    save_file({name: torch.zeros(4, channels)}, path := tmp_path / "lora.safetensors")
    assert look_at(path).identity.family == family


def test_a_file_that_is_not_what_its_place_or_name_says(shelf, tmp_path):
    """It can be used for what it is, and the artist is told."""
    for place, source, words in (
        ("checkpoints/best.safetensors", shelf.lora, "lies where a model belongs, but is a LoRA"),
        ("Lora/ink.safetensors", shelf.controlnet, "lies where a LoRA belongs, but is a ControlNet"),
        ("dream_sdxl.safetensors", shelf.tiny.path, "tells of XL, but its weights are of the family sd15"),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
        found = look_at(path)
        assert found.identity and words in found.remark and str(path) in found.remark


def test_what_cannot_be_used(shelf, tmp_path):
    """One sentence each: a pickle, a file cut short, a page of HTML, a U-Net alone, something else altogether."""
    (tmp_path / "a.ckpt").write_bytes(b"\x80\x04.")
    (tmp_path / "b.safetensors").write_bytes(shelf.tiny.path.read_bytes()[:-1000])
    (tmp_path / "c.safetensors").write_text("<html>" + "x" * 100)
    shutil.copy(shelf.tiny.folder / "unet" / PLAIN, tmp_path / "d.safetensors")
    save_file({"weight": torch.zeros(2)}, tmp_path / "e.safetensors")
    found = list(scan(tmp_path))
    assert [item.identity for item in found] == [None] * 5
    for item, words in zip(
        found, ("run any program", "cut short", "cut short", "only a U-Net", "no U-Net"), strict=True
    ):
        assert words in item.remark and str(item.path) in item.remark and "\n" not in item.remark


def test_a_model_folder_that_lacks_a_part(shelf, tmp_path):
    """Half a snapshot in the hub's cache is no model; nor is one of pickles."""
    shutil.copytree(shelf.tiny.folder, folder := tmp_path / "model")
    weights = folder / "vae" / PLAIN
    weights.unlink()
    assert "vae: holds no weights" in look_at(folder).remark
    weights.with_suffix(".bin").touch()
    assert "can run any program" in look_at(folder).remark


def test_a_controlnet_of_another_family_is_refused(shelf, xl_shelf):
    """XL's under a 1.5 base, as a file and as a folder, in one sentence that names the file."""
    for path in (xl_shelf.controlnet, xl_shelf.controlnet_folder):
        with pytest.raises(
            CheckpointError, match=r"made for another family of models.*use a ControlNet made for it"
        ) as e:
            picture(shelf, shelf.tiny.path, path)
        assert str(path) in str(e.value) and "\n" not in str(e.value)


def test_what_lies_beside_a_file_belongs_to_it(shelf, tmp_path):
    """A folder as downloads make it: ControlNets are found by their names, and the picture is the same."""
    shutil.copy(shelf.tiny.path, model := tmp_path / "model.safetensors")
    shutil.copy(shelf.controlnet, tmp_path / "controlnet_depth.safetensors")
    request = CheckpointRequest(str(model), (("depth", ""),))
    parts = load_checkpoint(request, device=CPU, dtype=torch.float32, configs=shelf.tiny.configs)
    theirs = ControlNetModel.from_pretrained(shelf.controlnet_folder).state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in parts.controlnets[0].net.state_dict().items())


def test_links_in_a_circle_come_to_an_end(shelf, tmp_path):
    """Each folder is looked through once."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    shutil.copy(shelf.lora, tmp_path / "a" / "ink.safetensors")
    assert len(list(scan(tmp_path))) == 1
    with pytest.raises(CheckpointError, match="no such folder"):
        list(scan(tmp_path / "none"))
