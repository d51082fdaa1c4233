"""ControlNets that artists bring: folders and files, one a kind or one for many."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from safetensors.torch import save_file

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.controlnets import UNION_MODES
from diffsynth_blender.models.recognise import read_json
from diffsynth_blender.models.single_file import CONFIGS
from tests.models import original_layout as original
from tests.tiny_model import make_tiny_model, make_union, save_tiny_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Model folders of three families."""
    return {family: save_tiny_model(tmp_path_factory.mktemp(family), family) for family in ("sd15", "sdxl", "sd3")}


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """Configurations of the tiny sizes."""
    root = tmp_path_factory.mktemp("configs")
    for family in ("sd15", "sdxl"):
        tiny = make_tiny_model(family)
        hinted(tiny.network).save_config(root / family / "controlnet")
        if family == "sdxl":
            make_union(tiny.network).save_config(root / family / "controlnet_union")
    return root


def hinted(unet) -> ControlNetModel:
    """A ControlNet that reads its picture in as many layers as a real one: the original layout numbers them."""
    torch.manual_seed(0)
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))


def load(folder, *controls, configs=CONFIGS):
    request = CheckpointRequest(str(folder), tuple((kind, str(path)) for kind, path in controls))
    return load_checkpoint(request, device=CPU, dtype=torch.float32, configs=configs).controlnets


def equal(net, other) -> bool:
    theirs = other.state_dict()
    return net.state_dict().keys() == theirs.keys() and all(
        torch.equal(tensor, theirs[name]) for name, tensor in net.state_dict().items()
    )


def test_controls_come_in_the_order_asked_for(folders):
    """Own ones and one from elsewhere, each with its kind."""
    elsewhere = folders["sd15"] / "controlnet_depth"
    loaded = load(folders["sd15"], ("tile", elsewhere), ("normal", ""), ("depth", ""))
    assert [(control.kind, control.union_mode) for control in loaded] == [
        ("tile", None),
        ("normal", None),
        ("depth", None),
    ]
    tiny = make_tiny_model("sd15")
    assert equal(loaded[0].net, tiny.controlnets[0]) and equal(loaded[1].net, tiny.controlnets[1])


@pytest.mark.parametrize("layout", ["original", "original without prefix", "diffusers"])
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_file_gives_the_same_net_as_its_folder(folders, configs, tmp_path, family, layout):
    """The layout of lllyasviel's files, with the prefix or without, and diffusers' in one file."""
    net = hinted(make_tiny_model(family).network)
    path = tmp_path / "control.safetensors"
    prefix = "control_model." if layout == "original" else ""
    weights = net.state_dict() if layout == "diffusers" else original.controlnet(net.state_dict(), 1, prefix)
    save_file(weights, path)
    (control,) = load(folders[family], ("depth", path), configs=configs)
    assert equal(control.net, net) and control.union_mode is None


def test_the_original_layout_covers_every_weight_of_a_real_one():
    """At full size: names and shapes of lllyasviel's file lead to all of the network's, none is left."""
    config = read_json(CONFIGS / "sd15" / "controlnet" / "config.json")
    with torch.device("meta"):
        net = ControlNetModel.from_config(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    written = original.controlnet(net.state_dict(), 2)
    assert len(written) == 340
    assert tuple(written["control_model.input_hint_block.14.weight"].shape) == (320, 256, 3, 3)
    assert tuple(written["control_model.zero_convs.11.0.weight"].shape) == (1280, 1280, 1, 1)
    read = convert_controlnet_checkpoint(written, config)
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == shapes


def test_a_union_is_loaded_once_for_all_its_kinds(folders, tmp_path):
    """Kinds that share a net differ by their index alone."""
    make_union(make_tiny_model("sdxl").network, modes=6).save_pretrained(tmp_path)
    depth, normal = load(folders["sdxl"], ("depth", tmp_path), ("normal", tmp_path))
    assert depth.net is normal.net
    assert (depth.union_mode, normal.union_mode) == (1, 4)


def test_a_union_in_the_model_folder_serves_kinds_without_a_net_of_their_own(tmp_path):
    """`controlnet_union` is asked where there is no folder for the kind."""
    folder = save_tiny_model(tmp_path, "sdxl")
    make_union(make_tiny_model("sdxl").network, modes=6).save_pretrained(folder / "controlnet_union")
    own, shared = load(folder, ("depth", ""), ("canny", ""))
    assert own.union_mode is None and shared.union_mode == 3


@pytest.mark.parametrize("modes", [6, 8])
def test_a_union_in_one_file_says_how_many_kinds_it_has(folders, configs, tmp_path, modes):
    """The promax version has two kinds more than the first, which its weights tell."""
    path = tmp_path / "union.safetensors"
    net = make_union(make_tiny_model("sdxl").network, modes)
    save_file(net.state_dict(), path)
    (control,) = load(folders["sdxl"], ("normal", path), configs=configs)
    assert equal(control.net, net) and control.union_mode == 4
    if modes == 6:
        with pytest.raises(CheckpointError, match=r"knows no 'tile'.*canny"):
            load(folders["sdxl"], ("tile", path), configs=configs)
    else:
        (control,) = load(folders["sdxl"], ("tile", path), configs=configs)
        assert control.union_mode == 6


def test_kinds_of_a_union():
    """As numbered by its authors."""
    assert [UNION_MODES[kind] for kind in ("depth", "softedge", "lineart", "canny", "normal", "tile")] == [
        1, 2, 3, 3, 4, 6,
    ]  # fmt: skip


def test_the_shuffle_in_one_file_pools(folders, configs, tmp_path):
    """Its net is like any other; that it speaks of the whole picture only is known from its kind."""
    path = tmp_path / "shuffle.safetensors"
    save_file(hinted(make_tiny_model("sd15").network).state_dict(), path)
    shuffle, depth = load(folders["sd15"], ("shuffle", path), ("depth", path), configs=configs)
    assert shuffle.net.config.global_pool_conditions and not depth.net.config.global_pool_conditions


@pytest.mark.parametrize("family, other", [("sd15", "sdxl"), ("sdxl", "sd15"), ("sd3", "sd15"), ("sd15", "sd3")])
def test_a_net_of_another_family_is_refused(folders, family, other):
    """The message names the folder and the family."""
    with pytest.raises(CheckpointError, match=rf"controlnet_depth.*{family}"):
        load(folders[family], ("depth", folders[other] / "controlnet_depth"))


def test_a_file_of_another_family_is_refused(folders, configs, tmp_path):
    """By the channels of the texts it reads, before anything is built."""
    path = tmp_path / "control.safetensors"
    save_file(make_tiny_model("sdxl").controlnets[0].state_dict(), path)
    with pytest.raises(CheckpointError, match="64 channels, those of sd15 32"):
        load(folders["sd15"], ("depth", path), configs=configs)


@pytest.mark.parametrize(
    "name, what",
    [("lora_controlnet", "control LoRA"), ("lllite_unet.weight", "control LoRA"), ("a.weight", "no ControlNet")],
)
def test_what_is_no_controlnet_is_called_by_name(folders, tmp_path, name, what):
    """Files that look alike in a folder of downloads."""
    path = tmp_path / "control.safetensors"
    save_file({name: torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=what):
        load(folders["sd15"], ("depth", path))


def test_missing_nets_are_named(folders, tmp_path):
    """A path that leads nowhere, a kind that the model has not, a file that runs code."""
    with pytest.raises(CheckpointError, match="none: no such ControlNet"):
        load(folders["sd15"], ("depth", tmp_path / "none"))
    with pytest.raises(CheckpointError, match=r"no ControlNet for 'canny'.*depth, normal"):
        load(folders["sd15"], ("canny", ""))
    (tmp_path / "control.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match="can run any program"):
        load(folders["sd15"], ("depth", tmp_path / "control.pth"))


def test_a_folder_of_another_class_is_refused(folders, tmp_path):
    """The class is read, not guessed from the folder's name."""
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "T2IAdapter"}))
    with pytest.raises(CheckpointError, match="T2IAdapter"):
        load(folders["sd15"], ("depth", Path(tmp_path)))
