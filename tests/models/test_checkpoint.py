import json
import shutil

import pytest
import torch

from diffsynth_blender.models.checkpoint import CheckpointError, CheckpointRequest, load_checkpoint
from diffsynth_blender.models.registry import CHECKPOINTS, find_checkpoint
from tests.tiny_model import save_tiny_model

CPU = torch.device("cpu")


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
