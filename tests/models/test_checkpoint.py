import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.recognise import folder_family
from diffsynth_blender.models.registry import CHECKPOINTS, find_checkpoint
from tests.tiny_model import make_tiny_model, save_tiny_model

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("model"))


def request(folder, kinds=()):
    return CheckpointRequest(str(folder), tuple((kind, "") for kind in kinds))


def load(folder, kinds=("depth", "normal")):
    return load_checkpoint(request(folder, kinds), device=CPU, dtype=torch.float32)


def test_a_folder_in_the_diffusers_layout_is_loaded(folder):
    """Every part comes from its sub-folder, frozen and in evaluation mode; only the ControlNets asked for."""
    model = load(folder, kinds=("depth",))
    assert [control.kind for control in model.controlnets] == ["depth"]
    for part in (model.network, model.vae, *model.text_encoders, *(control.net for control in model.controlnets)):
        assert not part.training
        assert not any(parameter.requires_grad for parameter in part.parameters())


def test_the_vae_is_float32_whatever_the_rest_computes_in(folder):
    """Half precision is for the networks of the loop; the VAE's differences need float32."""
    model = load_checkpoint(request(folder), device=CPU, dtype=torch.bfloat16)
    assert model.network.dtype == torch.bfloat16
    assert model.vae.dtype == torch.float32


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_missing_part_is_named(folder, tmp_path, part):
    """The error names the sub-folder that is missing."""
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    shutil.rmtree(broken / part)
    with pytest.raises(CheckpointError, match=part):
        load(broken)


@pytest.mark.parametrize("key, value", [("clip_sample", True), ("thresholding", True), ("prediction_type", "sigma")])
def test_a_scheduler_that_cannot_be_honoured_is_refused(folder, tmp_path, key, value):
    """Settings under which x0 would not be what the deflickering takes it for are errors, not ignored."""
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    path = broken / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(CheckpointError, match=key):
        load(broken)


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_the_family_is_read_from_the_folder(tmp_path, family):
    """Each family has its tokenizers and text encoders, in order, and they fit together."""
    model = load(save_tiny_model(tmp_path, family), ("depth", "normal"))
    count = {"sd15": 1, "sdxl": 2, "sd3": 3}[family]
    assert model.family == family
    assert len(model.tokenizers) == len(model.text_encoders) == count
    tiny = make_tiny_model(family)
    for ours, theirs in [(model.network, tiny.network), *zip(model.text_encoders, tiny.text_encoders, strict=True)]:
        expected = theirs.state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.state_dict().items())


def test_a_projection_by_matrices_is_sd2(folder, tmp_path):
    """What tells 2.x from 1.x in a configuration."""
    config = json.loads((folder / "unet" / "config.json").read_text())
    (tmp_path / "unet").mkdir()
    for linear, family in ((True, "sd2"), (False, "sd15")):
        (tmp_path / "unet" / "config.json").write_text(json.dumps({**config, "use_linear_projection": linear}))
        assert folder_family(tmp_path) == family


@pytest.mark.parametrize(
    "part, config, what",
    [
        ("unet", {"_class_name": "UNet2DConditionModel", "in_channels": 9, "out_channels": 4}, "inpainting"),
        ("unet", {"_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time"}, "refiner"),
        ("unet", {"_class_name": "UNet2DConditionModel", "addition_embed_type": "image"}, "no family"),
        ("unet", {"_class_name": "Kandinsky3UNet"}, "Kandinsky3UNet"),
        ("transformer", {"_class_name": "FluxTransformer2DModel"}, "FluxTransformer2DModel"),
    ],
)
def test_models_of_other_kinds_are_called_by_name(tmp_path, part, config, what):
    """The message says what it is and what would do."""
    (tmp_path / part).mkdir()
    (tmp_path / part / "config.json").write_text(json.dumps(config))
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(CheckpointError, match=what):
        load(tmp_path)


def test_stable_diffusion_3_works_without_its_largest_text_encoder(tmp_path):
    """Many copies leave it out."""
    folder = save_tiny_model(tmp_path, "sd3")
    shutil.rmtree(folder / "text_encoder_3")
    model = load(folder)
    assert len(model.tokenizers) == len(model.text_encoders) == 2


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_missing_weight_is_named(folder, tmp_path, part):
    """No weight is left as it happens to be in memory: the libraries would only warn."""
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    (file,) = (broken / part).glob("*.safetensors")
    weights = load_file(file)
    gone = sorted(weights)[0]
    save_file({name: tensor for name, tensor in weights.items() if name != gone}, file, {"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"{part}: lacks 1 weights, {gone} the first"):
        load(broken)


def test_weights_that_nobody_reads_do_no_harm(folder, tmp_path):
    """Folders are written by many programs; what the configuration asks for is there, and that is what is used."""
    more = tmp_path / "model"
    shutil.copytree(folder, more)
    file = more / "text_encoder" / "model.safetensors"
    save_file(load_file(file) | {"vision_model.weight": torch.zeros(1)}, file, {"format": "pt"})
    assert load(more).text_encoders[0].state_dict().keys() == load(folder).text_encoders[0].state_dict().keys()


def test_names_of_older_text_encoders_are_read(folder, tmp_path):
    """Transformers once had one level more in its names, and position numbers among the weights."""
    older = tmp_path / "model"
    shutil.copytree(folder, older)
    file = older / "text_encoder" / "model.safetensors"
    weights = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in load_file(file).items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(16)[None]
    save_file(weights, file, {"format": "pt"})
    new, old = load(folder).text_encoders[0].state_dict(), load(older).text_encoders[0].state_dict()
    assert new.keys() == old.keys() and all(torch.equal(tensor, old[name]) for name, tensor in new.items())


def test_files_of_half_precision_alone_are_enough(folder, tmp_path):
    """Folders downloaded as the variant fp16 hold no others."""
    half = tmp_path / "model"
    shutil.copytree(folder, half)
    for file in half.glob("*/*.safetensors"):
        weights = {name: tensor.half() for name, tensor in load_file(file).items()}
        save_file(weights, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
        file.unlink()
    name = "conv_in.weight"
    exact = load(folder).network.state_dict()[name]
    assert torch.equal(load(half).network.state_dict()[name], exact.half().float())


def test_weights_that_can_run_code_are_refused(folder, tmp_path):
    """A folder that holds pickles alone."""
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    (broken / "unet" / "diffusion_pytorch_model.safetensors").rename(broken / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"unet.*can run any program"):
        load(broken)


def test_latents_are_not_clipped_where_the_scheduler_does_not_say(folder, tmp_path):
    """Some schedulers clip by default; settings of others, which do not, say nothing of it."""
    silent = tmp_path / "model"
    shutil.copytree(folder, silent)
    path = silent / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    del config["clip_sample"]
    path.write_text(json.dumps(config))
    assert load(silent).scheduler_config["clip_sample"] is False


def test_the_tiny_vae_is_loaded_where_it_is_asked_for(tmp_path):
    """From `vae_tiny`, float32; a model without one has none, and that is no error."""
    folder = save_tiny_model(tmp_path)

    def tiny_vae(wanted: bool):
        wish = CheckpointRequest(str(folder), tiny_vae=wanted)
        return load_checkpoint(wish, device=CPU, dtype=torch.bfloat16).tiny_vae

    assert tiny_vae(True) is None
    options = dict(encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8))
    AutoencoderTiny(num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1), **options).save_pretrained(
        folder / "vae_tiny"
    )
    assert tiny_vae(False) is None
    assert tiny_vae(True).dtype == torch.float32


def test_nothing_asks_the_network(folder):
    """In a fresh interpreter where every connection fails, a folder, the shipped tokenizer and configurations load."""
    code = f"""
import socket
def refuse(*args, **options): raise SystemExit("asked the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import torch
from diffsynth_blender.models.checkpoint import CheckpointRequest, load_checkpoint
from diffsynth_blender.models.tokenizer import clip_tokenizer
model = load_checkpoint(CheckpointRequest({str(folder)!r}), device=torch.device("cpu"), dtype=torch.float32)
clip_tokenizer(pad_with_zero=True)
import huggingface_hub
assert huggingface_hub.is_offline_mode()
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_messages_are_one_line(folder, tmp_path):
    """Whatever a library says, people read one line with the folder in it."""
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    (broken / "vae" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        load(broken)
    assert str(broken / "vae") in str(caught.value) and "\n" not in str(caught.value)


def test_a_control_without_a_controlnet_is_refused(folder):
    """The error lists the kinds that there are."""
    with pytest.raises(CheckpointError, match=r"'canny'.*depth, normal"):
        load(folder, kinds=("canny",))


def test_unknown_models_are_named(tmp_path):
    """Neither a name that is not in the table nor a folder without a model is taken for one."""
    with pytest.raises(CheckpointError, match="demo"):
        find_checkpoint("dreamy")
    with pytest.raises(CheckpointError, match="model_index"):
        find_checkpoint(str(tmp_path))


def test_every_entry_of_the_table_is_there():
    """What the table promises lies in the repository."""
    for name in CHECKPOINTS:
        entry = find_checkpoint(name)
        assert all((entry.path / sub).is_dir() for sub in entry.controlnets.values())
